import { useState } from "react";
import { call, post } from "./api";
import { Decisions } from "./decisions";
import { Choice, Field } from "./fields";
import { Icon } from "./icons";
import { Problem } from "./problem";
import { useFresh, useTask } from "./state";

interface Key {
  id: string;
  account: string;
  tier: string;
  scopes: string;
  holds: boolean;
  created_at: number;
  last_used_at: number | null;
}

interface Job {
  id: string;
  account: string;
  tool: string;
  status: string;
  stage: string;
  progress: number;
  size: string;
  seconds: string;
}

interface Line {
  position: number;
  at: number;
  actor: string;
  action: string;
  subject: string;
  detail: string;
}

interface Overview {
  keys: Key[];
  queue: Job[];
  audit: Line[];
  audit_broken_at: number | null;
}

const TIERS = ["", "free", "plus", "pro", "red-team", "operator"].map((tier) => [tier, tier || "as it is"] as const);
const day = (at: number | null) => (at ? new Date(at * 1000).toLocaleString() : "never");

/** What waits for a decision, who may come in, what is being made, and who did what. Prompts are shown only of clips
 * that somebody reported, or appealed for. */
export function Admin() {
  const { seen, problem, load } = useFresh<Overview>("/admin");
  return (
    <div className="admin">
      <div className="toolbar">
        <h1>Admin</h1>
      </div>
      <Problem of={problem} />
      <Decisions />
      {seen && (
        <>
          <Queue queue={seen.queue} />
          <Keys keys={seen.keys} load={load} />
          <Audit lines={seen.audit} brokenAt={seen.audit_broken_at} />
        </>
      )}
    </div>
  );
}

function Queue({ queue }: { queue: Job[] }) {
  return (
    <section className="card" aria-label="Queue">
      <h2>Queue</h2>
      {queue.length === 0 && <p className="muted">Nothing waits and nothing is being made.</p>}
      <Table
        heads={["Clip", "Account", "Tool", "Size", "State"]}
        rows={queue.map((job) => [
          job.id,
          job.account,
          job.tool,
          `${job.size}, ${job.seconds} s`,
          job.status === "queued" ? "waiting" : `${job.stage} · ${job.progress} %`,
        ])}
      />
    </section>
  );
}

function Keys({ keys, load }: { keys: Key[]; load: () => Promise<void> }) {
  const [account, setAccount] = useState("");
  const [tier, setTier] = useState("");
  const [made, setMade] = useState("");
  const { busy, problem, run } = useTask();
  const make = () =>
    run(async () => {
      const fields = tier ? { account, tier } : { account };
      setMade((await post<{ key: string }>("/admin/keys", fields)).key);
      setAccount("");
      await load();
    });
  const revoke = (key: Key) =>
    run(async () => {
      if (!window.confirm(`Revoke the key ${key.id} of ${key.account}? From the next request on it opens nothing.`))
        return;
      await call("DELETE", `/admin/keys/${key.id}`);
      await load();
    });
  return (
    <section className="card" aria-label="Keys">
      <h2>Keys</h2>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          make();
        }}
      >
        <Field label="Account" value={account} change={setAccount} hint="alice" />
        <Choice label="Tier" value={tier} change={setTier} options={TIERS} />
        <button type="submit" className="primary" disabled={busy || !account.trim()}>
          <Icon name="key" /> Make a key
        </button>
      </form>
      <Problem of={problem} />
      {made && (
        <p className="made" role="status">
          <code>{made}</code> <span className="muted">is shown this once. Copy it now.</span>
        </p>
      )}
      <Table
        heads={["Key", "Account", "Tier", "May", "Last used", ""]}
        rows={keys.map((key) => [
          key.id,
          key.account,
          key.tier,
          key.scopes,
          day(key.last_used_at),
          key.holds ? (
            <button
              type="button"
              className="quiet"
              key="revoke"
              onClick={() => revoke(key)}
              aria-label={`Revoke ${key.id}`}
            >
              Revoke
            </button>
          ) : (
            "over"
          ),
        ])}
      />
    </section>
  );
}

function Audit({ lines, brokenAt }: { lines: Line[]; brokenAt: number | null }) {
  return (
    <section className="card" aria-label="Audit">
      <h2>Audit</h2>
      {brokenAt === null ? (
        <p className="muted">Every line follows from the one before it.</p>
      ) : (
        <p className="problem">Line {brokenAt} does not follow from the one before it: it was changed.</p>
      )}
      <Table
        heads={["", "When", "Who", "What", "Of what", "More"]}
        rows={lines.map((line) => [line.position, day(line.at), line.actor, line.action, line.subject, line.detail])}
      />
    </section>
  );
}

function Table({ heads, rows }: { heads: string[]; rows: React.ReactNode[][] }) {
  if (rows.length === 0) return null;
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head}>{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={String(row[0])}>
              {row.map((cell, column) => (
                <td key={heads[column]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
