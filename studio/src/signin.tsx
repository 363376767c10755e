import { useState } from "react";
import { call } from "./api";
import { Problem } from "./problem";
import { useTask } from "./state";

/** The first page: a key is handed over once, and the browser keeps a cookie that no script can read. */
export function SignIn({ entered }: { entered: () => void }) {
  const [key, setKey] = useState("");
  const { busy, problem, run } = useTask();
  const enter = () => run(() => call("POST", "/session", undefined, key.trim()).then(entered));
  return (
    <main className="signin">
      <div className="sky" aria-hidden="true" />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          enter();
        }}
      >
        <h1 className="brand">
          Sorairo <span lang="ja">空色</span>
        </h1>
        <p className="lead">Type a sentence, get a short signed video.</p>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          type="password"
          autoComplete="current-password"
          placeholder="sorairo_…"
          value={key}
          required
          // biome-ignore lint/a11y/noAutofocus: it is all there is on this page
          autoFocus
          onChange={(event) => setKey(event.target.value)}
        />
        <Problem of={problem} />
        <button type="submit" className="primary" disabled={busy || !key.trim()}>
          Sign in
        </button>
        <p className="muted small">
          The server printed a key when it was started for the first time; its operator makes more with{" "}
          <code>sorairo keys create</code>.
        </p>
      </form>
    </main>
  );
}
