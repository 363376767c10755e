/** Reports and appeals in words, and what an operator may do about each. */
import type { Case, Fields } from "./api";

export const REASONS = [
  ["sexual", "Sexual"], ["sexual_minors", "Sexual, with minors"], ["violence", "Violence"], ["hate", "Hate"],
  ["self_harm", "Self-harm"], ["illegal", "Something illegal"], ["election", "Deceives voters"],
  ["real_people", "A real person"], ["characters", "Somebody's character"], ["my_rights", "My own rights"],
  ["other", "Something else"],
] as const; // biome-ignore format: pairs

const AGAINST: Record<string, string> = {
  account: "a suspension",
  moderation_blocked: "a refusal",
  publication: "not being shown to all",
  taken_down: "a take-down",
};

/** Such as "Report: Violence". */
export function headline({ kind, reason }: Case): string {
  if (kind === "appeal") return `Appeal against ${AGAINST[reason] ?? "a failure"}`;
  return `Report: ${REASONS.find(([name]) => name === reason)?.[1] ?? reason}`;
}

/** What became of it, for whoever filed it. */
export function outcome({ kind, outcome: decided }: Case): string {
  if (decided === "open") return "Waits for the operator";
  if (kind === "appeal") return decided === "upheld" ? "Granted" : "Refused";
  return decided === "upheld" ? "Upheld" : "Dismissed";
}

/** A case as the operator sees it: who filed it, whom it is about, and the clip in question. */
export interface Matter extends Case {
  account: string;
  owner: string;
  owner_id: string;
  suspended_until: number;
  video: {
    title: string;
    prompt: string;
    size: string;
    seconds: string;
    status: string;
    error_code: string | null;
    error_message: string | null;
    publication_reason: string;
    watchable: boolean;
  } | null;
}

/** A decision: the button's text, and what is posted for it, in this order. */
export interface Act {
  text: string;
  steps: [path: string, fields: Fields][];
}

/** The decisions that a case allows. `reason` is told to the owner, and as the answer to whoever filed it. */
export function acts(matter: Matter, reason: string, days: string): Act[] {
  const { kind, video, video_id, owner, owner_id } = matter;
  const isDown = video?.error_code === "taken_down";
  const restore: Act["steps"] = isDown && video.watchable ? [[`/admin/videos/${video_id}/restore`, {}]] : [];
  if (matter.outcome !== "open") return restore.length > 0 ? [{ text: "Give the clip back", steps: restore }] : [];
  const close = (decided: "dismissed" | "upheld"): Act["steps"] => [
    [`/admin/cases/${matter.id}`, reason ? { outcome: decided, answer: reason } : { outcome: decided }],
  ];
  if (kind === "appeal") {
    const lift: Act["steps"] = video ? [] : [[`/admin/accounts/${owner_id}`, { days: 0 }]];
    const grant = restore.length > 0 ? "Grant: give the clip back" : video ? "Grant" : "Grant: lift the suspension";
    return [
      { text: grant, steps: [...restore, ...lift, ...close("upheld")] },
      { text: "Refuse", steps: close("dismissed") },
    ];
  }
  const down: Act["steps"] = video && !isDown ? [["/admin/takedowns", { video_id, reason }]] : [];
  const suspend: Act["steps"] = [[`/admin/accounts/${owner_id}`, { days: Number(days), reason }]];
  return [
    { text: "Dismiss", steps: close("dismissed") },
    { text: isDown ? "Uphold: it is down" : "Take down", steps: [...down, ...close("upheld")] },
    { text: `${isDown ? "S" : "Take down and s"}uspend ${owner}`, steps: [...down, ...suspend, ...close("upheld")] },
  ];
}
