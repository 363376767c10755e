import { type CSSProperties, useCallback, useEffect, useState } from "react";
import { content, type FeedVideo, get, post, type Video } from "./api";
import type { Known } from "./app";
import { REASONS } from "./cases";
import { CredentialsCard } from "./credentials";
import { Appeal } from "./failure";
import { Choice, Field } from "./fields";
import { Icon } from "./icons";
import { Moving } from "./library";
import { aspect } from "./money";
import { Problem } from "./problem";
import { to, useTask } from "./state";
import { Tools } from "./tools";

export type FeedName = "featured" | "recent";

const NAMES: Record<FeedName, string> = { featured: "Featured", recent: "Recent" };

const ABOUT: Record<FeedName, string> = {
  featured: "What the operator chose of what people here show to all.",
  recent: "What people here show to all, the latest first.",
};

/** A wall of what others show, and above it the one that was chosen. */
export function Feed({ name, chosen, account, refresh }: Known & { name: FeedName; chosen: string }) {
  const [videos, setVideos] = useState<FeedVideo[] | null>(null);
  const [hasMore, setHasMore] = useState(false);
  const { problem, run } = useTask();
  const load = useCallback(
    (after?: string) =>
      run(async () => {
        const query = after ? `?after=${after}` : "";
        const page = await get<{ data: FeedVideo[]; has_more: boolean }>(`/feeds/${name}${query}`);
        setVideos((known) => (after ? [...(known ?? []), ...page.data] : page.data));
        setHasMore(page.has_more);
      }),
    [name, run],
  );
  useEffect(() => {
    load();
  }, [load]);
  const open = videos?.find((video) => video.id === chosen);
  const put = (changed: FeedVideo) =>
    setVideos((known) => (known ?? []).map((video) => (video.id === changed.id ? changed : video)));
  return (
    <>
      <div className="toolbar">
        <h1>{NAMES[name]}</h1>
        <p className="muted">{ABOUT[name]}</p>
      </div>
      <Problem of={problem} />
      {open && <Shown key={open.id} feed={name} video={open} put={put} account={account} refresh={refresh} />}
      {videos?.length === 0 && <p className="empty muted">Nothing is shown here yet.</p>}
      <ul className="wall">
        {(videos ?? []).map((video) => (
          <li key={video.id} className="tile" style={{ "--aspect": aspect(video.size) } as CSSProperties}>
            <a href={to(name, video.id)} aria-label={`${video.title || video.prompt}, by ${video.author}`}>
              <Moving id={video.id} />
              <span className="prompt">
                {video.title || video.prompt} · {video.author}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="more" onClick={() => load(videos?.at(-1)?.id)}>
          Show more
        </button>
      )}
    </>
  );
}

function Shown(props: Known & { feed: FeedName; video: FeedVideo; put: (video: FeedVideo) => void }) {
  const { feed, video, put, account, refresh } = props;
  const { problem, run } = useTask();
  const feature = () =>
    run(async () => {
      const featured = !video.featured;
      await post(`/admin/videos/${video.id}`, { featured });
      put({ ...video, featured });
    });
  return (
    <article className="player">
      <a className="back" href={to(feed)}>
        ← {NAMES[feed]}
      </a>
      <div className="screen" style={{ aspectRatio: aspect(video.size) }}>
        <video
          src={content(video.id)}
          poster={content(video.id, "thumbnail")}
          controls
          autoPlay
          loop
          muted
          playsInline
        />
      </div>
      <aside>
        <section className="about">
          <h2>{video.title || "Without a name"}</h2>
          <p className="prompt">{video.prompt}</p>
          <p className="muted small">
            {[`by ${video.author}`, video.size.replace("x", " × "), `${video.seconds} s`, video.tool, video.model].join(
              " · ",
            )}
          </p>
          <div className="row">
            {account.scopes.includes("admin") && (
              <button type="button" aria-pressed={video.featured} onClick={feature}>
                <Icon name="star" filled={video.featured} /> Featured
              </button>
            )}
            <Report id={video.id} />
          </div>
          <Problem of={problem} />
        </section>
        <CredentialsCard video={video} />
      </aside>
      <Tools video={video} account={account} refresh={refresh} />
    </article>
  );
}

/** Tells the operator that a clip should not be there. */
function Report({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("other");
  const [message, setMessage] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, problem, run } = useTask();
  const send = () =>
    run(async () => {
      await post(`/videos/${id}/reports`, { reason, ...(message.trim() ? { message: message.trim() } : {}) });
      setSent(true);
    });
  if (sent)
    return (
      <p role="status">
        The operator was told. Thank you. <a href={to("cases")}>What becomes of it</a>
      </p>
    );
  if (!open)
    return (
      <button type="button" className="quiet" onClick={() => setOpen(true)}>
        Report
      </button>
    );
  return (
    <div className="card report">
      <Choice label="Reason" value={reason} change={setReason} options={REASONS} />
      <Field label="What is wrong" value={message} change={setMessage} />
      <Problem of={problem} />
      <button type="button" disabled={busy} onClick={send}>
        Send the report
      </button>
    </div>
  );
}

const CHECKED_EVERY_MS = 1500;

/** Where the owner of a clip shows it to all, or takes it back. */
export function Publication({ video, put, account }: Known & { video: Video; put: (video: Video) => void }) {
  const { busy, problem, run } = useTask();
  const { publication } = video;
  const waits = publication === "pending" || publication === "judging";
  useEffect(() => {
    if (!waits) return;
    const timer = setInterval(() => get<Video>(`/videos/${video.id}`).then(put, () => {}), CHECKED_EVERY_MS);
    return () => clearInterval(timer);
  }, [waits, video.id, put]);
  if (!account.feeds) return null;
  const change = (published: boolean) => run(async () => put(await post<Video>(`/videos/${video.id}`, { published })));
  const shown = waits || publication === "published";
  return (
    <section className="card publication" aria-label="Who sees it">
      <p role="status">
        {publication === "published" && "Everybody here sees this clip."}
        {waits && "It is being checked for everybody's eyes."}
        {publication === "private" && "Only you see this clip."}
        {publication === "refused" && `Only you see this clip. It was not let in: ${video.publication_reason}`}
      </p>
      {!shown && (
        <p className="muted small">
          Showing it lets every account here watch it, read how it was made, and work on it, beside your name,{" "}
          {account.name}.
        </p>
      )}
      <button type="button" disabled={busy} onClick={() => change(!shown)}>
        <Icon name="people" /> {shown ? "Take it back" : "Show it to all"}
      </button>
      {publication === "refused" && <Appeal id={video.id} />}
      <Problem of={problem} />
    </section>
  );
}
