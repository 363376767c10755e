/** What the pages share: where the browser is, who is in, and the videos with what becomes of them. */
import { useCallback, useEffect, useRef, useState } from "react";
import { type Account, ApiError, get, told, type Video } from "./api";

const WATCHED = 2; // streams at once: a browser has six connections to a server, and players need some
const POLL_MS = 4000;
const REFRESH_MS = 5000;
const PAGE = 40;

const read = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

/** The part of the address after #/, as words. */
export function usePlace(): string[] {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const change = () => {
      setPlace(read());
      window.scrollTo(0, 0);
    };
    window.addEventListener("hashchange", change);
    return () => window.removeEventListener("hashchange", change);
  }, []);
  return place;
}

export const to = (...words: string[]) => `#/${words.map(encodeURIComponent).join("/")}`;

/** Who is in: undefined while the server is asked, null for nobody. */
export function useAccount() {
  const [account, setAccount] = useState<Account | null | undefined>(undefined);
  const refresh = useCallback(
    () =>
      get<Account>("/account")
        .then(setAccount)
        .catch((error) => {
          const isOut = error instanceof ApiError && error.status === 401;
          setAccount((known) => (isOut ? null : (known ?? null)));
        }),
    [],
  );
  useEffect(() => {
    const leave = () => setAccount(null);
    refresh();
    window.addEventListener("signed-out", leave);
    return () => window.removeEventListener("signed-out", leave);
  }, [refresh]);
  return { account, refresh, setAccount };
}

export interface Filter {
  search?: string;
  folder?: string;
  favourite?: boolean;
}

const isActive = (video: Video) => video.status === "queued" || video.status === "in_progress";

/** The videos of the account that fit, kept up to date while any is being made. */
export function useVideos(filter: Filter, ended?: () => void) {
  const [videos, setVideos] = useState<Video[] | null>(null);
  const [hasMore, setHasMore] = useState(false);
  const [problem, setProblem] = useState("");
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (filter.search) query.set("search", filter.search);
  if (filter.folder) query.set("folder", filter.folder);
  if (filter.favourite) query.set("favourite", "true");
  const asked = query.toString();
  const current = useRef(asked);
  current.current = asked;
  const loaded = useRef(0);
  loaded.current = videos?.length ?? 0;

  const load = useCallback(
    async (after?: string) => {
      try {
        const page = await get<{ data: Video[]; has_more: boolean }>(
          `/videos?${asked}${after ? `&after=${after}` : ""}`,
        );
        if (current.current !== asked) return;
        setVideos((known) => (after ? [...(known ?? []), ...page.data] : merged(known, page.data)));
        if (after || loaded.current <= PAGE) setHasMore(page.has_more);
        setProblem("");
      } catch (error) {
        setProblem(told(error));
      }
    },
    [asked],
  );
  useEffect(() => {
    setVideos(null);
    setHasMore(false);
    load();
  }, [load]);

  const put = useCallback((video: Video) => {
    setVideos((known) => {
      const rest = known ?? [];
      return rest.some(({ id }) => id === video.id)
        ? rest.map((v) => (v.id === video.id ? video : v))
        : [video, ...rest];
    });
  }, []);
  const drop = useCallback((id: string) => setVideos((known) => (known ?? []).filter((video) => video.id !== id)), []);

  const active = (videos ?? []).filter(isActive);
  const running = active.filter((video) => video.status === "in_progress");
  const watched = [...running, ...active.filter((video) => video.status === "queued").reverse()].slice(0, WATCHED);
  useWatch(watched.map(({ id }) => id).join(" "), put, drop, ended);
  const unwatched = active.length > watched.length;
  useEffect(() => {
    if (!unwatched) return;
    const timer = setInterval(() => load(), POLL_MS);
    return () => clearInterval(timer);
  }, [unwatched, load]);
  const loadMore = () => load(videos?.at(-1)?.id);
  return { videos, hasMore, problem, put, drop, load, loadMore };
}

/** The first page anew, with the previews that only streams tell, before what was loaded after it. */
function merged(known: Video[] | null, page: Video[]): Video[] {
  const before = known ?? [];
  const last = before.findIndex(({ id }) => id === page.at(-1)?.id);
  const seen = page.map((video) => ({ preview: before.find(({ id }) => id === video.id)?.preview, ...video }));
  return last >= 0 ? [...seen, ...before.slice(last + 1)] : seen;
}

/** Listens to what becomes of these videos, named by their ids with spaces between. */
export function useWatch(ids: string, put: (video: Video) => void, drop?: (id: string) => void, ended?: () => void) {
  const streams = useRef(new Map<string, EventSource>());
  useEffect(() => {
    const wanted = new Set(ids.split(" ").filter(Boolean));
    for (const [id, stream] of streams.current) {
      if (!wanted.has(id)) {
        stream.close();
        streams.current.delete(id);
      }
    }
    for (const id of wanted) {
      if (streams.current.has(id)) continue;
      const stream = new EventSource(`/v1/videos/${id}/events`);
      streams.current.set(id, stream);
      const take = (event: MessageEvent) => put(JSON.parse(event.data));
      stream.addEventListener("video.progress", take);
      for (const end of ["video.completed", "video.failed", "video.deleted"]) {
        stream.addEventListener(end, (event) => {
          stream.close();
          if (end === "video.deleted") drop?.(id);
          else take(event);
          ended?.();
        });
      }
    }
  }, [ids, put, drop, ended]);
  useEffect(() => {
    const open = streams.current;
    return () => {
      for (const stream of open.values()) stream.close();
      open.clear();
    };
  }, []);
}

/** What the server answers, asked for again and again; null until it has answered for this path. */
export function useFresh<T>(path: string) {
  const [answer, setAnswer] = useState<{ path: string; seen: T } | null>(null);
  const { problem, run } = useTask();
  const load = useCallback(() => get<T>(path).then((seen) => setAnswer({ path, seen })), [path]);
  useEffect(() => {
    run(load);
    const timer = setInterval(() => load().catch(() => {}), REFRESH_MS);
    return () => clearInterval(timer);
  }, [load, run]);
  return { seen: answer?.path === path ? answer.seen : null, problem, load };
}

/** An action that may fail: whether it runs, what went wrong, and how to start it. */
export function useTask() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const run = useCallback(async <T>(task: () => Promise<T>): Promise<T | undefined> => {
    setBusy(true);
    setProblem(null);
    try {
      return await task();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, problem, run };
}
