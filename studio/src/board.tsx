import { type ReactNode, useRef, useState } from "react";
import { type Character, content, make, type Video } from "./api";
import type { Known } from "./app";
import { isNamed, naming, toggled } from "./cast";
import { Cast, CastButton } from "./casting";
import { arrow, dragging, useDrop } from "./drag";
import { FINE, FileButton, FineFields, fineFields, Price, SizeAndLength, takePicture } from "./fields";
import { Icon } from "./icons";
import { Problem } from "./problem";
import { Picker } from "./sheet";
import { to, useTask } from "./state";
import { type Card, cuts, FRAME, freeTime, moveCard, timeAt, toFields } from "./timeline";

const FIRST: Card = { key: 1, time: 0, text: "" };

/** Cards on a timeline, each a text, a picture or a clip, made into one clip. */
export function Board({ account, refresh }: Known) {
  const [cards, setCards] = useState<Card[]>([FIRST]);
  const [size, setSize] = useState("160x96");
  const [length, setLength] = useState("4");
  const [fine, setFine] = useState(FINE);
  const [picking, setPicking] = useState(false);
  const [cast, setCast] = useState<Character[]>([]);
  const [casting, setCasting] = useState(false);
  const [written, setWritten] = useState(FIRST.key); // the card that was written on last
  const [open, setOpen] = useState(false);
  const { busy, problem, run } = useTask();
  const taking = useTask();
  const seconds = Number(length);
  const close = cuts(cards);

  const put = (made: Omit<Card, "key" | "time">) => {
    const key = Math.max(0, ...cards.map((card) => card.key)) + 1;
    setCards(moveCard([...cards, { key, time: -1, ...made }], key, freeTime(cards, seconds), seconds));
  };
  const takeFile = (file: File) => taking.run(async () => put({ text: "", file: await takePicture(file) }));
  const takeClip = (video: Video) => {
    put({
      text: "",
      file: { id: video.id, name: video.title || video.prompt, picture: content(video.id, "thumbnail") },
    });
    setPicking(false);
  };
  const isOver = useDrop(takeFile);
  const write = (key: number, text: string) =>
    setCards(cards.map((card) => (card.key === key ? { ...card, text } : card)));
  const toggle = (one: Character) => {
    const next = toggled(cast, one);
    setCast(next);
    const card = cards.find(({ key }) => key === written) ?? cards[0];
    if (card && next.includes(one) && !cards.some(({ text }) => isNamed(one.name, text)))
      write(card.key, naming(one.name, card.text));
  };
  const place = (key: number, time: number) => setCards(moveCard(cards, key, time, seconds));
  const resize = (nextSize: string, nextLength: string) => {
    setSize(nextSize);
    setLength(nextLength);
    const end = Number(nextLength);
    setCards(cards.reduce((known, card) => (card.time > end ? moveCard(known, card.key, end, end) : known), cards));
  };
  const used = cards.filter((card) => card.text.trim() || card.file);
  const submit = () =>
    run(async () => {
      const made = await make("", { size, seconds: length, ...toFields(used, cast), ...fineFields(fine) });
      refresh();
      location.hash = to("video", made.id);
    });

  return (
    <form
      className="board"
      data-over={isOver || undefined}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className="toolbar">
        <h1>Storyboard</h1>
        <p className="muted">
          A card says or shows what is there at its time. Cards closer than 0.75 s cut; what lies between is filled in.
        </p>
      </div>
      <Timeline cards={cards} seconds={seconds} close={close} place={place} />
      <ol className="cards">
        {cards.map((card) => (
          <CardEditor
            key={card.key}
            card={card}
            cut={close.has(card.key)}
            seconds={seconds}
            write={(text) => write(card.key, text)}
            chosen={() => setWritten(card.key)}
            place={(time) => place(card.key, time)}
            remove={cards.length > 1 ? () => setCards(cards.filter((other) => other.key !== card.key)) : undefined}
          />
        ))}
      </ol>
      <div className="row">
        <button type="button" onClick={() => put({ text: "" })}>
          <Icon name="plus" /> Text card
        </button>
        <FileButton label={taking.busy ? "Taking in…" : "Picture card"} take={takeFile} />
        <button type="button" aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="clips" /> Clip card
        </button>
        <CastButton cast={cast} open={casting} toggle={() => setCasting(!casting)} />
      </div>
      {casting && <Cast cast={cast} toggle={toggle} />}
      {picking && <Picker label="A clip for the board" choose={takeClip} />}
      <Problem of={problem ?? taking.problem} />
      <div className="card sheet">
        <div className="choices">
          <SizeAndLength account={account} size={size} seconds={length} set={resize} />
        </div>
        {open && <FineFields fine={fine} change={setFine} />}
        <div className="row end">
          <button type="button" className="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            <Icon name="more" /> More
          </button>
          <Price account={account} size={size} seconds={seconds} />
          <button type="submit" className="primary" disabled={busy || used.length === 0}>
            {busy ? "Asking…" : "Make"}
          </button>
        </div>
      </div>
    </form>
  );
}

interface TimelineProps {
  cards: Card[];
  seconds: number;
  close: Set<number>;
  place: (key: number, time: number) => void;
}

function Timeline({ cards, seconds, close, place }: TimelineProps) {
  const box = useRef<HTMLDivElement>(null);
  const marks: ReactNode[] = [];
  for (let second = 0; second <= seconds; second += seconds > 20 ? 5 : 1) {
    marks.push(
      <span key={second} className="mark" style={{ left: `${(second / seconds) * 100}%` }}>
        {second} s
      </span>,
    );
  }
  return (
    <div className="timeline" ref={box}>
      {marks}
      {cards.map((card, number) => (
        <button
          type="button"
          className="pin"
          key={card.key}
          role="slider"
          aria-label={`Time of card ${number + 1}`}
          aria-valuemin={0}
          aria-valuemax={seconds}
          aria-valuenow={card.time}
          aria-valuetext={`${card.time} s`}
          data-cut={close.has(card.key) || undefined}
          style={{ left: `${(card.time / seconds) * 100}%` }}
          {...dragging(
            () => box.current,
            (x) => place(card.key, timeAt(x, 1, seconds)),
          )}
          onKeyDown={(event) => {
            const step = arrow(event.key)?.[0];
            if (!step) return;
            event.preventDefault();
            place(card.key, card.time + step * FRAME);
          }}
        >
          {card.file ? <img src={card.file.picture} alt="" draggable={false} /> : null}
          <span>{card.text || card.file?.name || "…"}</span>
        </button>
      ))}
    </div>
  );
}

interface CardProps {
  card: Card;
  cut: boolean;
  seconds: number;
  write: (text: string) => void;
  chosen: () => void;
  place: (time: number) => void;
  remove?: () => void;
}

function CardEditor({ card, cut, seconds, write, chosen, place, remove }: CardProps) {
  return (
    <li className="card">
      <div className="row">
        <label className="field time">
          <span>{cut ? "Cuts in at" : "At"}</span>
          <input
            type="number"
            min={0}
            max={seconds}
            step={FRAME}
            value={card.time}
            onChange={(event) => place(Number(event.target.value))}
          />
        </label>
        {remove && (
          <button type="button" className="quiet" onClick={remove} aria-label="Take the card out">
            <Icon name="close" />
          </button>
        )}
      </div>
      {card.file && <img src={card.file.picture} alt={card.file.name} />}
      <textarea
        rows={3}
        aria-label={`Text at ${card.time} s`}
        placeholder={card.file ? "What happens from here on, if you like" : "What happens from here on"}
        value={card.text}
        onFocus={chosen}
        onChange={(event) => write(event.target.value)}
      />
    </li>
  );
}
