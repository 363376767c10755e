/** Small pieces of forms that the composer, the tools and the storyboard share. */
import { type Account, type Fields, upload } from "./api";
import { Icon } from "./icons";
import { inWords, left, price, sides } from "./money";

export interface Fine {
  seed: string;
  num_inference_steps: string;
  guidance_scale: string;
  negative_prompt: string;
}

export const FINE: Fine = { seed: "", num_inference_steps: "", guidance_scale: "", negative_prompt: "" };

/** What was filled in of them; a new seed where none was, so that asking twice is two clips. */
export function fineFields(fine: Fine, number = 0): Fields {
  const seed = fine.seed === "" ? Math.floor(Math.random() * 2 ** 32) : Number(fine.seed) + number;
  const fields: Fields = { seed };
  if (fine.num_inference_steps) fields.num_inference_steps = Number(fine.num_inference_steps);
  if (fine.guidance_scale) fields.guidance_scale = Number(fine.guidance_scale);
  if (fine.negative_prompt) fields.negative_prompt = fine.negative_prompt;
  return fields;
}

export function FineFields({ fine, change }: { fine: Fine; change: (fine: Fine) => void }) {
  const set = (name: keyof Fine) => (value: string) => change({ ...fine, [name]: value });
  return (
    <div className="fine">
      <Field label="Seed" value={fine.seed} change={set("seed")} type="number" min={0} hint="random" />
      <Field
        label="Steps"
        value={fine.num_inference_steps}
        change={set("num_inference_steps")}
        type="number"
        min={1}
        max={200}
        hint="30"
      />
      <Field
        label="Guidance"
        value={fine.guidance_scale}
        change={set("guidance_scale")}
        type="number"
        min={0}
        max={30}
        step={0.1}
        hint="2.5"
      />
      <Field label="Should not be there" value={fine.negative_prompt} change={set("negative_prompt")} hint="nothing" />
    </div>
  );
}

interface FieldProps {
  label: string;
  value: string;
  change: (value: string) => void;
  hint?: string;
  type?: string;
  min?: number;
  max?: number;
  step?: number;
}

export function Field({ label, value, change, hint, type = "text", ...limits }: FieldProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <input
        type={type}
        value={value}
        placeholder={hint}
        onChange={(event) => change(event.target.value)}
        {...limits}
      />
    </label>
  );
}

export function Area({ label, value, change, hint }: FieldProps) {
  return (
    <label className="field wide">
      <span>{label}</span>
      <textarea
        rows={2}
        value={value}
        placeholder={hint}
        maxLength={1000}
        onChange={(event) => change(event.target.value)}
      />
    </label>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  change: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
}

export function Choice({ label, value, change, options }: ChoiceProps) {
  return (
    <select
      className="choice"
      aria-label={label}
      title={label}
      value={value}
      onChange={(event) => change(event.target.value)}
    >
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}

const SIZES = [
  "160x96",
  "96x160",
  "128x128",
  "480x480",
  "854x480",
  "480x854",
  "1280x720",
  "720x1280",
  "1920x1080",
  "1080x1920",
];
const LENGTHS = [1, 2, 4, 8, 12, 20, 30, 60];

/** Size and length, as far as the account's tier goes; `custom` lets any be written. */
export function SizeAndLength(props: {
  account: Account;
  size: string;
  seconds: string;
  set: (size: string, seconds: string) => void;
}) {
  const { account, size, seconds, set } = props;
  const fits = (one: string) => {
    const [width, height] = sides(one) ?? [0, 0];
    return width * height <= account.limits.pixels;
  };
  const sizes = SIZES.filter(fits);
  const custom = !sizes.includes(size);
  const lengths = LENGTHS.filter((length) => length <= account.limits.seconds).map(String);
  return (
    <>
      <Choice
        label="Size"
        value={custom ? "custom" : size}
        change={(value) => set(value === "custom" ? "" : value, seconds)}
        options={[...sizes.map((one) => [one, one.replace("x", " × ")] as const), ["custom", "Custom…"]]}
      />
      {custom && <Field label="Custom size" value={size} change={(value) => set(value, seconds)} hint="160x96" />}
      <Choice
        label="Length"
        value={seconds}
        change={(value) => set(size, value)}
        options={lengths.map((length) => [length, `${length} s`])}
      />
    </>
  );
}

/** The price of what is about to be asked for, beside the button that asks. */
export function Price({
  account,
  size,
  seconds,
  count = 1,
}: {
  account: Account;
  size: string;
  seconds: number;
  count?: number;
}) {
  const one = price(size, seconds, account.limits);
  if (one === null) return <span className="price muted">size is WIDTHxHEIGHT</span>;
  const all = one * count;
  const short = all > account.credits_left;
  return (
    <span className="price" data-short={short || undefined}>
      <strong>{inWords(all)}</strong>
      <span className="muted">
        {short ? `only ${account.credits_left} left` : left(account.credits_left).replace("credits ", "")}
      </span>
    </span>
  );
}

export interface Picture {
  id: string;
  name: string;
  picture: string;
  size: [width: number, height: number];
}

/** A picture that is handed in; what is shown of it meanwhile is the browser's own copy. */
export async function takePicture(file: File): Promise<Picture> {
  const shown = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
  const id = await upload(file);
  return { id, name: file.name, picture: shown, size: await sizeOf(shown) };
}

function sizeOf(address: string): Promise<[number, number]> {
  const image = new Image();
  return new Promise((resolve) => {
    image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => resolve([0, 0]); // a kind that this browser does not show
    image.src = address;
  });
}

/** A button that opens the system's choice of files. */
export function FileButton({
  take,
  label,
  accept = "image/*",
}: {
  take: (file: File) => void;
  label: string;
  accept?: string;
}) {
  return (
    <label className="filebutton">
      <Icon name="image" /> {label}
      <input
        type="file"
        accept={accept}
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          event.target.value = "";
          if (file) take(file);
        }}
      />
    </label>
  );
}
