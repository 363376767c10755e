/** What went wrong, in the server's words, and what the user may do about it. */
import { ApiError, told, type Video } from "./api";

const FAILURES: Record<string, [title: string, advice: string]> = {
  moderation_blocked: [
    "Refused by the policy",
    "Nothing was made and nothing was charged. Change the words and try again.",
  ],
  invalid_request: ["Cannot be made as asked", "Nothing was charged. Change what is named here and try again."],
  generation_failed: ["The model failed", "Nothing was charged. Another seed or another wording often helps."],
  worker_lost: [
    "The worker was lost",
    "Nothing was charged. Try a smaller size or a shorter clip, or tell the operator.",
  ],
  server_error: ["The server failed", "Nothing was charged. Try again; if it happens again, tell the operator."],
};

const REFUSALS: Record<string, string> = {
  insufficient_quota: "Choose a smaller size, a shorter length or fewer variations.",
  queue_full: "Wait until one is done, or delete one that waits.",
  missing_scope: "Sign in with a key that may do this.",
};

export function Problem({ of }: { of: unknown }) {
  if (!of) return null;
  const advice = of instanceof ApiError && of.code ? REFUSALS[of.code] : "";
  return (
    <p className="problem" role="alert">
      {told(of)} {advice}
    </p>
  );
}

export const failureTitle = (video: Video) => FAILURES[video.error?.code ?? ""]?.[0] ?? "Failed";

export function Failure({ video }: { video: Video }) {
  const advice = FAILURES[video.error?.code ?? ""]?.[1];
  return (
    <div className="failure">
      <h3>{failureTitle(video)}</h3>
      <p>{video.error?.message}</p>
      <p className="muted">{advice}</p>
    </div>
  );
}
