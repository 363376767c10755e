/** Why there is no clip, and the way to the operator where that was somebody's decision. */
import { useState } from "react";
import { type Case, get, post, type Video } from "./api";
import { Area } from "./fields";
import { Problem } from "./problem";
import { to, useTask } from "./state";

const FAILURES: Record<string, [title: string, advice: string]> = {
  account_suspended: ["The account is suspended", "Nothing was charged. Ask for it again when that is over."],
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
  taken_down: ["Taken down by the operator", "Nobody gets this clip any more. If that is wrong, say why."],
  server_error: ["The server failed", "Nothing was charged. Try again; if it happens again, tell the operator."],
};

const DECIDED = ["moderation_blocked", "taken_down"];

export function Failure({ video }: { video: Video }) {
  const code = video.error?.code ?? "";
  const [title, advice] = FAILURES[code] ?? ["Failed", ""];
  return (
    <div className="failure">
      <h3>{title}</h3>
      <p>{video.error?.message}</p>
      <p className="muted">{advice}</p>
      {DECIDED.includes(code) && <Appeal id={video.id} />}
    </div>
  );
}

/** A note to the operator against what was done to a clip, or to the account where no clip is named. */
export function Appeal({ id = "" }: { id?: string }) {
  const [open, setOpen] = useState(false);
  const [message, setMessage] = useState("");
  const [filed, setFiled] = useState<Case | null>(null);
  const { busy, problem, run } = useTask();
  const begin = () =>
    run(async () => {
      const { data } = await get<{ data: Case[] }>("/cases");
      const waits = (one: Case) => one.kind === "appeal" && one.video_id === id && one.outcome === "open";
      setFiled(data.find(waits) ?? null);
      setOpen(!open);
    });
  const send = () =>
    run(async () => {
      const about = id ? { video_id: id } : {};
      setFiled(await post<Case>("/appeals", { message: message.trim(), ...about }));
    });
  if (filed)
    return (
      <p role="status">
        The operator has your appeal. <a href={to("cases")}>What becomes of it</a>
      </p>
    );
  return (
    <div className="appeal">
      <button type="button" aria-expanded={open} disabled={busy} onClick={begin}>
        Appeal
      </button>
      {open && (
        <>
          <Area label="Why it should not have been done" value={message} change={setMessage} />
          <button type="button" className="primary" disabled={busy || !message.trim()} onClick={send}>
            Send the appeal
          </button>
        </>
      )}
      <Problem of={problem} />
    </div>
  );
}
