/** What went wrong, in the server's words, and what the user may do about it. */
import { ApiError, told } from "./api";

const REFUSALS: Record<string, string> = {
  account_suspended: "Till then you may watch, download and appeal.",
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
