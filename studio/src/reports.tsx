import type { Account, Case } from "./api";
import { headline, outcome } from "./cases";
import { Appeal } from "./failure";
import { Problem } from "./problem";
import { to, useFresh } from "./state";

/** What the account told the operator, and what was decided. */
export function Reports() {
  const { seen, problem } = useFresh<{ data: Case[] }>("/cases");
  return (
    <>
      <div className="toolbar">
        <h1>Reports and appeals</h1>
        <p className="muted">What you told the operator, and what was decided.</p>
      </div>
      <Problem of={problem} />
      {seen?.data.length === 0 && <p className="empty muted">You have not reported anything, or appealed.</p>}
      <ul className="cases">
        {(seen?.data ?? []).map((one) => (
          <li className="card case" key={one.id}>
            <h2>{headline(one)}</h2>
            <p className="outcome" data-outcome={one.outcome}>
              {outcome(one)}
            </p>
            {one.message && <blockquote>{one.message}</blockquote>}
            {one.answer && <p>The operator answers: {one.answer}</p>}
            <p className="muted small">
              {new Date(one.created_at * 1000).toLocaleString()}
              {one.kind === "appeal" && one.video_id && (
                <>
                  {" · "}
                  <a href={to("video", one.video_id)}>the clip</a>
                </>
              )}
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Above every page, while the account is suspended: until when, why, and what it still may do. */
export function Suspension({ account }: { account: Account }) {
  if (!account.suspended) return null;
  return (
    <section className="card suspension" aria-label="Suspension">
      <p>
        <strong>{account.suspended}</strong>
      </p>
      <p className="muted">Till then you may watch and download your clips, and appeal; nothing else.</p>
      <Appeal />
    </section>
  );
}
