import { type CSSProperties, useEffect, useRef, useState } from "react";
import { call, content, post, type Video } from "./api";
import type { Known } from "./app";
import { Composer } from "./composer";
import { Failure } from "./failure";
import { Icon } from "./icons";
import { aspect } from "./money";
import { Problem } from "./problem";
import { to, useTask, useVideos } from "./state";

interface Shelf {
  favourite: boolean;
  folder: string;
  starring: string;
}

/** The wall of clips, and the composer below it; `starring`: a character's id with which the prompt begins. */
export function Library({ account, refresh, favourite, folder, starring }: Known & Shelf) {
  const [draft, setDraft] = useState("");
  const [typed, setTyped] = useState("");
  const search = useSettled(typed);
  const library = useVideos({ search, folder, favourite }, refresh);
  const { videos } = library;
  const task = useTask();
  const title = favourite ? "Favourites" : folder || "Clips";

  const star = (video: Video) =>
    task.run(async () => library.put(await post<Video>(`/videos/${video.id}`, { favourite: !video.favourite })));
  const remove = (video: Video) =>
    task.run(async () => {
      await call("DELETE", `/videos/${video.id}`);
      library.drop(video.id);
      refresh();
    });
  const again = (video: Video) => {
    setDraft(video.prompt);
    document.querySelector<HTMLTextAreaElement>(".composer textarea")?.focus();
  };
  const making = (videos ?? []).filter((video) => video.status === "queued" || video.status === "in_progress").length;

  return (
    <>
      <div className="toolbar">
        <h1>{title}</h1>
        <p role="status" className="muted">
          {making > 0 && `${making === 1 ? "One clip is" : `${making} clips are`} being made`}
        </p>
        <label className="search">
          <Icon name="search" />
          <input
            type="search"
            aria-label="Search"
            placeholder="Search"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      </div>
      <Problem of={library.problem || task.problem} />
      {videos?.length === 0 && (
        <Empty searching={Boolean(search)} favourite={favourite} folder={folder} use={setDraft} />
      )}
      <ul className="wall">
        {(videos ?? []).map((video) => (
          <Tile key={video.id} video={video} star={star} remove={remove} again={again} />
        ))}
      </ul>
      {library.hasMore && (
        <button type="button" className="more" onClick={library.loadMore}>
          Show more
        </button>
      )}
      <Composer
        account={account}
        refresh={refresh}
        starring={starring}
        draft={draft}
        setDraft={setDraft}
        made={library.put}
      />
    </>
  );
}

/** What was typed, once the typing rests. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text.trim()), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

const IDEAS = [
  "a red ball rolls in from the left and knocks over a row of yellow dominoes",
  "a blue cube falls and bounces on the grass, at sunset",
  "a green ring rolls behind a wall, the camera orbits to the left",
];

function Empty(props: { searching: boolean; favourite: boolean; folder: string; use: (idea: string) => void }) {
  if (props.searching) return <p className="empty muted">No clip has these words.</p>;
  if (props.favourite) return <p className="empty muted">The star on a clip puts it here.</p>;
  if (props.folder) return <p className="empty muted">This folder is empty.</p>;
  return (
    <section className="empty">
      <h2>What shall happen?</h2>
      <p className="muted">Describe a scene below, or begin with one of these.</p>
      <ul>
        {IDEAS.map((idea) => (
          <li key={idea}>
            <button type="button" className="idea" onClick={() => props.use(idea)}>
              {idea}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface TileProps {
  video: Video;
  star: (video: Video) => void;
  remove: (video: Video) => void;
  again: (video: Video) => void;
}

function Tile({ video, star, remove, again }: TileProps) {
  const name = video.title || video.prompt || video.tool;
  const shape = { "--aspect": aspect(video.size) } as CSSProperties;
  if (video.status === "failed")
    return (
      <li className="tile failed" style={shape}>
        <Failure video={video} />
        <p className="prompt">{video.prompt}</p>
        <div className="row">
          <button type="button" onClick={() => again(video)}>
            Change the prompt
          </button>
          <button type="button" className="quiet" onClick={() => remove(video)}>
            <Icon name="trash" /> Delete
          </button>
        </div>
      </li>
    );
  if (video.status !== "completed")
    return (
      <li className="tile making" style={shape}>
        {video.preview && <img src={video.preview} alt="Rough preview of the clip" />}
        <div className="state">
          <p className="prompt">{name}</p>
          <progress aria-label={`Progress of ${name}`} max={100} value={video.progress} />
          <p className="small">
            <span>{stateOf(video)}</span>
            <button type="button" className="quiet" onClick={() => remove(video)}>
              Cancel
            </button>
          </p>
        </div>
      </li>
    );
  return (
    <li className="tile" style={shape}>
      <a href={to("video", video.id)} aria-label={name}>
        <Moving id={video.id} />
        <span className="prompt">{name}</span>
      </a>
      <button
        type="button"
        className="star"
        aria-pressed={video.favourite}
        aria-label={`Favourite: ${name}`}
        onClick={() => star(video)}
      >
        <Icon name="star" filled={video.favourite} />
      </button>
    </li>
  );
}

const STAGES: Record<string, string> = {
  policy: "Reading the prompt",
  expansion: "Reading the prompt",
  sampling: "Imagining",
  decoding: "Drawing",
  signing: "Signing",
  publishing: "Putting away",
};

export function stateOf(video: Video): string {
  if (video.status === "queued") {
    if (!video.queue_position) return "Waiting";
    return video.queue_position > 1 ? `Number ${video.queue_position} in the queue` : "Next in the queue";
  }
  const left = video.eta_seconds ? `, about ${video.eta_seconds} s left` : "";
  return `${STAGES[video.stage] ?? "Beginning"} · ${video.progress} %${left}`;
}

/** A picture of the clip that plays while it is pointed at or focused. */
export function Moving({ id }: { id: string }) {
  const [plays, setPlays] = useState(false);
  const box = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const link = box.current?.parentElement;
    const start = () => setPlays(true);
    const stop = () => setPlays(false);
    for (const name of ["mouseenter", "focus"]) link?.addEventListener(name, start);
    for (const name of ["mouseleave", "blur"]) link?.addEventListener(name, stop);
    return () => {
      for (const name of ["mouseenter", "focus"]) link?.removeEventListener(name, start);
      for (const name of ["mouseleave", "blur"]) link?.removeEventListener(name, stop);
    };
  }, []);
  return (
    <span className="moving" ref={box}>
      <img src={content(id, "thumbnail")} alt="" loading="lazy" />
      {plays && <video src={content(id)} autoPlay loop muted playsInline />}
    </span>
  );
}
