import { describe, expect, it } from "vitest";
import type { Case, Character } from "./api";
import { acts, headline, type Matter, outcome } from "./cases";
import { isNamed, naming, toggled } from "./cast";
import { add, GAP, move, nameOf, type Point, PRESETS, path, remove, shareAt } from "./curve";
import { box, drawn, type Shape } from "./mask";
import { down, inWords, larger, price, sides, up, workSize } from "./money";
import { type Card, cuts, freeTime, moveCard, snap, timeAt, toFields, trim } from "./timeline";

const LINE: Point[] = [[0, 0], [0.5, 1], [1, 0]]; // biome-ignore format: points
const card = (key: number, time: number, text = "", id = ""): Card => ({
  key,
  time,
  text,
  ...(id ? { file: { id, name: id, picture: "" } } : {}),
});

describe("a blend's curve", () => {
  it("keeps its ends in place and other points in order", () => {
    expect(move(LINE, 0, 0.4, 0.3)[0]).toEqual([0, 0.3]);
    expect(move(LINE, 2, 0.4, 2)[2]).toEqual([1, 1]);
    expect(move(LINE, 1, 7, -1)[1]).toEqual([1 - GAP, 0]);
    expect(move(LINE, 1, -7, 0.5)[1]).toEqual([GAP, 0.5]);
  });
  it("takes a new point on its line, and only where there is room", () => {
    expect(add(LINE, 0.25)).toEqual([[0, 0], [0.25, 0.5], [0.5, 1], [1, 0]]); // biome-ignore format: points
    expect(add(LINE, 0.5)).toBe(LINE);
    expect(add(LINE, 1)).toBe(LINE);
  });
  it("loses points but not its ends", () => {
    expect(remove(LINE, 1)).toHaveLength(2);
    expect(remove(LINE, 0)).toBe(LINE);
  });
  it("is straight between its points", () => {
    expect(shareAt(LINE, 0.75)).toBeCloseTo(0.5);
    expect(shareAt(LINE, 0)).toBe(0);
    expect(path(LINE, 100, 50)).toBe("M0 50 L50 0 L100 50");
  });
  it("knows a preset from any other", () => {
    expect(nameOf(PRESETS.mix ?? [])).toBe("mix");
    expect(nameOf(LINE)).toBeNull();
  });
});

describe("a mask", () => {
  it("takes a box as far as it lies inside", () => {
    expect(box([16, 8, 32, 16], [64, 32])).toEqual({ kind: "box", left: 0.25, top: 0.25, width: 0.5, height: 0.5 });
    expect(box([-16, 16, 32, 99], [64, 32])).toEqual({ kind: "box", left: 0, top: 0.5, width: 0.25, height: 0.5 });
    expect(box([64, 0, 8, 8], [64, 32])).toBeNull();
    expect(box([Number.NaN, 0, 8, 8], [64, 32])).toBeNull();
  });
  it("grows by the stroke that is being drawn, inside the picture", () => {
    const begun: Shape[] = [{ kind: "stroke", radius: 0.1, points: [[0, 0]] }];
    expect(drawn(begun, 2, 0.5)).toEqual([{ kind: "stroke", radius: 0.1, points: [[0, 0], [1, 0.5]] }]); // biome-ignore format: points
    expect(drawn([], 0, 0)).toEqual([]);
  });
});

describe("a character", () => {
  const mo: Character = { id: "char_1", name: "Mo", description: "" };
  it("is named as it is written, and not inside a word", () => {
    expect(isNamed("Mo", "Mo, and Moses")).toBe(true);
    expect(["mo rolls", "Moses", "éMo", "Mo_"].some((prompt) => isNamed("Mo", prompt))).toBe(false);
    expect(isNamed("R2-D2 (old)", "here is R2-D2 (old)!")).toBe(true);
  });
  it("is put into a prompt once", () => {
    expect([naming("Mo", ""), naming("Mo", "jump "), naming("Mo", "Mo jumps")]).toEqual(["Mo", "jump Mo", "Mo jumps"]);
  });
  it("is taken in and out", () => {
    expect(toggled([], mo)).toEqual([mo]);
    expect(toggled([mo], { ...mo })).toEqual([]);
  });
});

describe("a case", () => {
  const own: Case = {
    id: "case_1",
    kind: "report",
    video_id: "video_1",
    reason: "hate",
    message: "",
    created_at: 0,
    outcome: "open",
    answer: "",
  };
  const video: Matter["video"] = {
    title: "",
    prompt: "a ball",
    size: "64x32",
    seconds: "1",
    status: "completed",
    error_code: null,
    error_message: null,
    publication_reason: "",
    watchable: true,
  };
  const down = { ...video, error_code: "taken_down" };
  const report: Matter = { ...own, account: "bob", owner: "eve", owner_id: "account_1", suspended_until: 0, video };
  const appeal: Matter = { ...report, kind: "appeal", reason: "taken_down", video: down };
  const paths = (matter: Matter) =>
    acts(matter, "spam", "7").map(({ text, steps }) => [text, ...steps.map(([path]) => path.split("/")[2])]);
  it("is told in words", () => {
    expect([headline(own), outcome(own)]).toEqual(["Report: Hate", "Waits for the operator"]);
    expect([headline(appeal), outcome({ ...appeal, outcome: "upheld" })]).toEqual([
      "Appeal against a take-down",
      "Granted",
    ]);
  });
  it("is closed after what follows from it", () => {
    expect(paths(report)).toEqual([
      ["Dismiss", "cases"],
      ["Take down", "takedowns", "cases"],
      ["Take down and suspend eve", "takedowns", "accounts", "cases"],
    ]);
    expect(acts(report, "spam", "7")[2]?.steps).toEqual([
      ["/admin/takedowns", { video_id: "video_1", reason: "spam" }],
      ["/admin/accounts/account_1", { days: 7, reason: "spam" }],
      ["/admin/cases/case_1", { outcome: "upheld", answer: "spam" }],
    ]);
  });
  it("takes nothing down twice", () => {
    expect(paths({ ...report, video: down }).slice(1)).toEqual([
      ["Uphold: it is down", "cases"],
      ["Suspend eve", "accounts", "cases"],
    ]);
  });
  it("gives back what it was about", () => {
    expect(paths(appeal)[0]).toEqual(["Grant: give the clip back", "videos", "cases"]);
    expect(paths({ ...appeal, video: { ...down, watchable: false } })[0]).toEqual(["Grant", "cases"]);
    expect(paths({ ...appeal, video_id: "", video: null })[0]).toEqual([
      "Grant: lift the suspension",
      "accounts",
      "cases",
    ]);
    expect(paths({ ...appeal, outcome: "dismissed" })).toEqual([["Give the clip back", "videos"]]);
    expect(paths({ ...report, outcome: "upheld" })).toEqual([]);
  });
});

describe("a storyboard", () => {
  it("snaps to frames", () => {
    expect(snap(0.3)).toBe(0.25);
    expect(timeAt(50, 200, 4)).toBe(1);
    expect(timeAt(-5, 200, 4)).toBe(0);
    expect(timeAt(999, 200, 4)).toBe(4);
  });
  it("never lays two cards on one frame", () => {
    const moved = moveCard([card(1, 0), card(2, 2)], 2, 0.01, 4);
    expect(moved.map((c) => c.time)).toEqual([0, 0.125]);
  });
  it("puts a new card into the widest gap", () => {
    expect(freeTime([], 4)).toBe(0);
    expect(freeTime([card(1, 2)], 4)).toBe(0);
    expect(freeTime([card(1, 0), card(2, 1)], 4)).toBe(2.5);
  });
  it("cuts where cards are close", () => {
    expect([...cuts([card(1, 0), card(2, 0.5), card(3, 2)])]).toEqual([2]);
  });
  it("asks as the command line would", () => {
    const cards = [card(2, 2, "a cube"), card(1, 0, "a ball"), card(3, 2.5, "", "file_1")];
    expect(toFields(cards)).toEqual({
      prompt: "a ball",
      scenes: [
        { start: 2, prompt: "a cube", cut: false },
        { start: 2.5, prompt: "", cut: true },
      ],
      keyframes: [{ id: "file_1", time: 2.5 }],
    });
    expect(toFields(cards, [{ id: "char_1" }]).characters).toEqual([{ id: "char_1" }]);
  });
  it("keeps the ends of a cut in order and inside", () => {
    expect(trim([1, 3], 0, 5, 4)).toEqual([2.875, 3]);
    expect(trim([1, 3], 1, 9, 4)).toEqual([1, 4]);
    expect(trim([1, 3], 1, 0, 4)).toEqual([1, 1.125]);
  });
});

describe("prices and sizes", () => {
  const limits = {
    pixels: 1e6,
    seconds: 20,
    concurrent: 1,
    waiting: 1,
    variations: 4,
    credits: 100,
    pixel_seconds_per_credit: 57600,
  };
  it("are the server's", () => {
    expect(price("480x480", 5, limits)).toBe(20);
    expect(price("64x32", 1, limits)).toBe(1);
    expect(price("large", 1, limits)).toBeNull();
    expect([inWords(1), inWords(1200)]).toEqual(["1 credit", "1,200 credits"]);
  });
  it("are worked on in the model's own shapes", () => {
    expect(workSize("160x96")).toBe("160x96");
    expect(workSize("1280x720")).toBe("160x96");
    expect(workSize("1080x1920")).toBe("96x160");
    expect(sides(" 64×32 ")).toEqual([64, 32]);
    expect([larger("64x32"), larger("1280x720")]).toEqual(["80x48", "1536x864"]);
  });
  it("last whole steps", () => {
    expect([up(4.1), up(4.5), down(4.4), down(0.1)]).toEqual([4.5, 4.5, 4, 0.5]);
  });
});
