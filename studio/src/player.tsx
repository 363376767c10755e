import { useCallback, useEffect, useState } from "react";
import { call, content, get, post, told, type Video } from "./api";
import type { Known } from "./app";
import { CredentialsCard } from "./credentials";
import { Failure } from "./failure";
import { Publication } from "./feeds";
import { Icon } from "./icons";
import { stateOf } from "./library";
import { aspect, inWords } from "./money";
import { Problem } from "./problem";
import { to, useTask, useWatch } from "./state";
import { Tools } from "./tools";

/** One clip: to look at, to know where it comes from, to work on. */
export function Player({ id, account, refresh }: Known & { id: string }) {
  const [video, setVideo] = useState<Video | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    get<Video>(`/videos/${id}`)
      .then(setVideo)
      .catch((error) => setProblem(told(error)));
  }, [id]);
  const put = useCallback((next: Video) => setVideo(next), []);
  const active = video?.status === "queued" || video?.status === "in_progress";
  useWatch(active ? id : "", put);
  if (problem) return <p className="problem">{problem}</p>;
  if (!video) return <div className="loading" />;
  const done = video.status === "completed";
  return (
    <article className="player">
      <a className="back" href={to()}>
        ← Clips
      </a>
      {video.status === "failed" ? (
        <section className="card">
          <Failure video={video} />
        </section>
      ) : (
        <div className="screen" style={{ aspectRatio: aspect(video.size) }}>
          {done && (
            <video src={content(id)} poster={content(id, "thumbnail")} controls autoPlay loop muted playsInline />
          )}
          {active && (
            <div className="making">
              {video.preview && <img src={video.preview} alt="Rough preview of the clip" />}
              <div className="state">
                <progress aria-label="Progress" max={100} value={video.progress} />
                <p className="small">{stateOf(video)}</p>
              </div>
            </div>
          )}
        </div>
      )}
      <aside>
        <About video={video} put={setVideo} account={account} refresh={refresh} />
        {done && <Publication video={video} put={setVideo} account={account} refresh={refresh} />}
        {done && <CredentialsCard video={video} />}
      </aside>
      {done && <Tools video={video} account={account} refresh={refresh} />}
    </article>
  );
}

/** Its name, its folder, and what can be done with the whole of it. */
function About({ video, put, account, refresh }: Known & { video: Video; put: (video: Video) => void }) {
  const [title, setTitle] = useState(video.title);
  const [folder, setFolder] = useState(video.folder);
  const { problem, run } = useTask();
  const change = (fields: Partial<Video>) =>
    run(async () => put(await post<Video>(`/videos/${video.id}`, fields))).then(refresh);
  const remove = () =>
    run(async () => {
      if (!window.confirm("Delete this clip? It cannot be brought back.")) return;
      await call("DELETE", `/videos/${video.id}`);
      refresh();
      location.hash = to();
    });
  return (
    <section className="about">
      <input
        className="title"
        aria-label="Name"
        placeholder="Give it a name"
        value={title}
        maxLength={80}
        onChange={(event) => setTitle(event.target.value)}
        onBlur={() => title !== video.title && change({ title })}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
      <p className="prompt">{video.prompt}</p>
      {video.expanded_prompt && <p className="small">Told in full: {video.expanded_prompt}</p>}
      {!video.expanded_prompt && video.expansion_note && (
        <p className="small">Not told in full: {video.expansion_note}.</p>
      )}
      <p className="muted small">
        {[video.size.replace("x", " × "), `${video.seconds} s`, video.tool, video.model, inWords(video.credits)].join(
          " · ",
        )}
      </p>
      <div className="row">
        <button type="button" aria-pressed={video.favourite} onClick={() => change({ favourite: !video.favourite })}>
          <Icon name="star" filled={video.favourite} /> Favourite
        </button>
        {video.status === "completed" && (
          <>
            <a className="button" href={content(video.id)} download>
              <Icon name="download" /> Download
            </a>
            <a className="button" href={to("characters", video.id)}>
              <Icon name="cast" /> Make a character
            </a>
          </>
        )}
        <button type="button" className="quiet" onClick={remove}>
          <Icon name="trash" /> Delete
        </button>
      </div>
      <label className="field">
        <span>Folder</span>
        <input
          list="folders"
          placeholder="none"
          value={folder}
          maxLength={80}
          onChange={(event) => setFolder(event.target.value)}
          onBlur={() => folder.trim() !== video.folder && change({ folder: folder.trim() })}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
        />
        <datalist id="folders">
          {account.folders.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      <Problem of={problem} />
    </section>
  );
}
