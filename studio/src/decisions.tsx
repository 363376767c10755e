import { useState } from "react";
import { post } from "./api";
import { type Act, acts, headline, type Matter } from "./cases";
import { Area, Choice } from "./fields";
import { aspect } from "./money";
import { Problem } from "./problem";
import { useFresh, useTask } from "./state";

const OUTCOMES = [["open", "Waiting"], ["upheld", "Upheld"], ["dismissed", "Dismissed"]] as const; // biome-ignore format: pairs
const DAYS = ["1", "7", "30", "365"].map((days) => [days, days === "1" ? "for 1 day" : `for ${days} days`] as const);

/** Reports and appeals, the oldest first: the operator watches, decides, and says why. */
export function Decisions() {
  const [outcome, setOutcome] = useState("open");
  const { seen, problem, load } = useFresh<{ data: Matter[] }>(`/admin/cases?outcome=${outcome}`);
  return (
    <section className="card" aria-label="Reports and appeals">
      <div className="row">
        <h2>Reports and appeals</h2>
        <Choice label="Which" value={outcome} change={setOutcome} options={OUTCOMES} />
      </div>
      <Problem of={problem} />
      {seen?.data.length === 0 && (
        <p className="muted">{outcome === "open" ? "Nothing waits for a decision." : "There are none."}</p>
      )}
      <ul className="cases">
        {(seen?.data ?? []).map((matter) => (
          <Decision key={matter.id} matter={matter} done={load} />
        ))}
      </ul>
    </section>
  );
}

function Decision({ matter, done }: { matter: Matter; done: () => Promise<void> }) {
  const [reason, setReason] = useState("");
  const [days, setDays] = useState("7");
  const { busy, problem, run } = useTask();
  const { answer, owner, video } = matter;
  const open = matter.outcome === "open";
  const decide = (act: Act) =>
    run(async () => {
      for (const [path, fields] of act.steps) await post(path, fields);
      await done();
    });
  return (
    <li className="case" aria-label={`${headline(matter)}, by ${matter.account}`}>
      <h3>{headline(matter)}</h3>
      <p className="muted small">
        by {matter.account}, {new Date(matter.created_at * 1000).toLocaleString()}
        {video && ` · a clip of ${owner}`}
        {matter.suspended_until * 1000 > Date.now() && ` · ${owner} is suspended`}
      </p>
      {matter.message && <blockquote>{matter.message}</blockquote>}
      {video && <Evidence matter={matter} />}
      {answer && <p>Answered: {answer}</p>}
      {open && <Area label={`Reason, told to ${told(matter)}`} value={reason} change={setReason} />}
      <div className="row">
        {acts(matter, reason.trim(), days).map((act) => (
          <button type="button" key={act.text} disabled={busy} onClick={() => decide(act)}>
            {act.text}
          </button>
        ))}
        {open && matter.kind === "report" && (
          <Choice label="How long to suspend" value={days} change={setDays} options={DAYS} />
        )}
      </div>
      <Problem of={problem} />
    </li>
  );
}

const told = ({ account, owner }: Matter) => (account === owner ? owner : `${account} and ${owner}`);

/** The clip in question, its words, and what was said of it; it plays only when that is asked for. */
function Evidence({ matter }: { matter: Matter }) {
  const [watches, setWatches] = useState(false);
  const { id, video } = matter;
  if (!video) return null;
  const against = video.error_message || video.publication_reason;
  return (
    <>
      {video.title && <p>{video.title}</p>}
      <p className="prompt">{video.prompt || "It was deleted by its owner."}</p>
      {against && <p className="muted">{against}</p>}
      {watches && (
        <video
          src={`/v1/admin/cases/${id}/content`}
          style={{ aspectRatio: aspect(video.size) }}
          controls
          autoPlay
          muted
          playsInline
        />
      )}
      {video.watchable ? (
        <button type="button" aria-expanded={watches} onClick={() => setWatches(!watches)}>
          Watch the clip
        </button>
      ) : (
        <p className="muted small">There is no clip to watch.</p>
      )}
    </>
  );
}
