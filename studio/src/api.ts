/** What the server is asked, and what it answers. The browser's cookie says who asks; no key is kept here. */

/** What is known of a clip, one's own or another's. */
export interface Clip {
  id: string;
  title: string;
  prompt: string;
  tool: string;
  model: string;
  size: string;
  seconds: string;
}

/** A clip that its owner shows to all. */
export interface FeedVideo extends Clip {
  author: string;
  published_at: number;
  featured: boolean;
}

export interface Video extends Clip {
  status: "queued" | "in_progress" | "completed" | "failed";
  progress: number;
  created_at: number;
  completed_at: number | null;
  remixed_from_video_id: string | null;
  error: { code: string; message: string } | null;
  stage: string;
  eta_seconds: number | null;
  queue_position: number | null;
  credits: number;
  folder: string;
  favourite: boolean;
  publication: "private" | "pending" | "judging" | "published" | "refused";
  publication_reason: string;
  expanded_prompt: string | null;
  expansion_note: string;
  preview?: string | null;
}

export interface Limits {
  pixels: number;
  seconds: number;
  concurrent: number;
  waiting: number;
  variations: number;
  credits: number;
  pixel_seconds_per_credit: number;
}

/** A name for what a clip shows, and the words that stand for it in prompts, if there are any. */
export interface Character {
  id: string;
  name: string;
  description: string;
}

/** A report or an appeal; `video_id` is empty where it is about the account. */
export interface Case {
  id: string;
  kind: "report" | "appeal";
  video_id: string;
  reason: string;
  message: string;
  created_at: number;
  outcome: "open" | "dismissed" | "upheld";
  answer: string;
}

export interface Account {
  name: string;
  tier: string;
  scopes: string[];
  credits_left: number;
  limits: Limits;
  folders: string[];
  styles: Record<string, string>;
  feeds: boolean;
  suspended: string;
}

export interface Credentials {
  state: "trusted" | "valid" | "invalid" | "none";
  reasons: string[];
  facts: {
    model?: string;
    weights_sha256?: string;
    software?: string;
    created?: string;
    signer?: string;
    source_type?: string;
    request?: Record<string, unknown>;
  };
}

export type Fields = Record<string, unknown>;

/** An answer from 400 on, in the server's words; `param` is the field that is wrong. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
    readonly param: string | null = null,
  ) {
    super(message);
  }
}

export async function call<T>(method: string, path: string, sent?: Fields | FormData, key?: string): Promise<T> {
  const headers: Record<string, string> = { "x-sorairo-studio": "1" };
  if (key) headers.authorization = `Bearer ${encodeURIComponent(key)}`; // a header holds no other characters than keys do
  const isForm = sent instanceof FormData;
  if (sent && !isForm) headers["content-type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(`/v1${path}`, { method, headers, body: isForm ? sent : sent && JSON.stringify(sent) });
  } catch {
    throw new ApiError(0, "The server cannot be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body as T;
  if (answer.status === 401 && path !== "/session") window.dispatchEvent(new Event("signed-out"));
  const error = body?.error ?? {};
  throw new ApiError(answer.status, error.message ?? `The server answered ${answer.status}.`, error.code, error.param);
}

export const get = <T>(path: string) => call<T>("GET", path);
export const post = <T>(path: string, sent: Fields) => call<T>("POST", path, sent);

/** Takes a picture or clip in; it is known by its id from then on. */
export async function upload(file: File): Promise<string> {
  const form = new FormData();
  form.append("file", file);
  form.append("purpose", "vision");
  return (await call<{ id: string }>("POST", "/files", form)).id;
}

/** Makes a character of a clip, or of a picture. */
export function makeCharacter(name: string, description: string, clip: File) {
  const form = new FormData();
  form.append("name", name);
  form.append("description", description);
  form.append("video", clip);
  return call<Character>("POST", "/videos/characters", form);
}

/** A finished clip's own file. */
export async function clipFile(id: string): Promise<File> {
  const answer = await fetch(content(id));
  if (!answer.ok) throw new ApiError(answer.status, `The clip cannot be read: the server answered ${answer.status}.`);
  return new File([await answer.blob()], `${id}.mp4`);
}

/** Asks for a video by a tool's route; for a new one that is "". */
export const make = (route: string, fields: Fields) => post<Video>(route ? `/videos/${route}` : "/videos", fields);

export const content = (id: string, variant = "video") => `/v1/videos/${id}/content?variant=${variant}`;

export const told = (error: unknown) => (error instanceof Error ? error.message : String(error));
