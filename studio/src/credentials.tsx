import { useEffect, useState } from "react";
import { type Clip, type Credentials, get, told, type Video } from "./api";
import { Icon } from "./icons";
import { to } from "./state";

const VERDICTS = {
  trusted: ["Verified", "Not a bit has changed since a signer whom this server trusts signed it."],
  valid: ["Signer unknown", "Unchanged since somebody signed it; who that is, this server does not know."],
  invalid: ["Not verified", "The clip or its statements were changed after signing, or its certificate has expired."],
  none: ["No credentials", "This file was never signed, or its credentials were taken out."],
} as const;

/** What the clip's own credentials say, checked by the server when this is opened. */
export function CredentialsCard({ video }: { video: Clip }) {
  const [found, setFound] = useState<Credentials | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    get<Credentials>(`/videos/${video.id}/credentials`)
      .then(setFound)
      .catch((error) => setProblem(told(error)));
  }, [video.id]);
  if (problem) return <p className="problem">{problem}</p>;
  if (!found) return <section className="card credentials muted">Checking the content credentials…</section>;
  const [verdict, meaning] = VERDICTS[found.state];
  const { facts } = found;
  const request = facts.request ?? {};
  const rows: [string, unknown][] = [
    ["Signed by", facts.signer],
    ["Signed at", facts.created && new Date(facts.created).toLocaleString()],
    ["Made by", facts.source_type?.endsWith("trainedAlgorithmicMedia") ? "a trained model" : facts.source_type],
    ["Model", facts.model],
    ["Weights", facts.weights_sha256?.slice(0, 12)],
    ["Software", facts.software],
    ["Prompt", request.prompt],
    ["As it was written", request.user_prompt],
    ["Seed", request.seed],
    ["Steps", request.num_inference_steps],
    ["Guidance", request.guidance_scale],
  ];
  return (
    <section className="card credentials" aria-label="Content credentials" data-state={found.state}>
      <h2>
        <Icon name="seal" /> {verdict}
      </h2>
      <p className="muted">{meaning}</p>
      {found.reasons.map((reason) => (
        <p className="problem" key={reason}>
          {reason}
        </p>
      ))}
      <dl>
        {rows
          .filter(([, value]) => value !== undefined && value !== "")
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{String(value)}</dd>
            </div>
          ))}
        <Parents ids={parentsOf(request)} />
      </dl>
    </section>
  );
}

/** The videos that a signed request used, by the names of its files. */
export function parentsOf(request: Record<string, unknown>): string[] {
  const text = JSON.stringify([request.anchors, request.source, request.mask]);
  return [...new Set(text.match(/video_[0-9a-f]{24}/g) ?? [])];
}

function Parents({ ids }: { ids: string[] }) {
  const [names, setNames] = useState<Record<string, string>>({});
  const asked = ids.join(" ");
  useEffect(() => {
    for (const id of asked.split(" ").filter(Boolean)) {
      get<Video>(`/videos/${id}`)
        .then((video) => setNames((known) => ({ ...known, [id]: video.title || video.prompt || id })))
        .catch(() => setNames((known) => ({ ...known, [id]: "" })));
    }
  }, [asked]);
  if (ids.length === 0) return null;
  return (
    <div>
      <dt>Made from</dt>
      <dd>
        {ids.map((id) =>
          names[id] ? (
            <a key={id} href={to("video", id)}>
              {names[id]}
            </a>
          ) : (
            <span key={id}>{names[id] === "" ? "a clip of another account, or a deleted one" : id}</span>
          ),
        )}
      </dd>
    </div>
  );
}
