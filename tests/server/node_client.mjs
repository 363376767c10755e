// What a program written for OpenAI's Node client does with videos: node node_client.mjs ADDRESS KEY. Prints JSON.
import OpenAI, { toFile } from "openai";

const [, , baseURL, apiKey] = process.argv;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const fast = { num_inference_steps: 4 };
const small = { prompt: "a red ball", size: "64x32", seconds: "1", ...fast };

async function done(video) {
  while (video.status === "queued" || video.status === "in_progress") {
    await new Promise((wake) => setTimeout(wake, 100));
    video = await client.videos.retrieve(video.id);
  }
  return video;
}

async function refusal(asked) {
  try {
    await asked;
  } catch (error) {
    return [error.constructor.name, error.status, error.code, error.param, Boolean(error.requestID)];
  }
}

const first = await done(await client.videos.create(small));
const content = Buffer.from(await (await client.videos.downloadContent(first.id)).arrayBuffer());
const thumbnail = await client.videos.downloadContent(first.id, { variant: "thumbnail" });
const made = await Promise.all([
  client.videos.remix(first.id, { prompt: "a cube" }),
  client.videos.edit({ prompt: "a cube", video: { id: first.id }, ...fast }),
  client.videos.edit({ prompt: "a cube", video: await toFile(content, "clip.mp4"), ...fast }),
  client.videos.extend({ prompt: "it rolls", seconds: "1", video: { id: first.id }, ...fast }),
  client.videos.create({ ...small, scenes: JSON.stringify([{ start: 0.5, prompt: "a cube" }]) }),
]);
const character = await client.videos.createCharacter({ name: "Mo", video: await toFile(content, "clip.mp4") });
const cast = await client.videos.create({ ...small, prompt: "Mo rolls", characters: [{ id: character.id }] });
const ends = await Promise.all([...made, cast].map(done));
const listed = [];
for await (const video of client.videos.list({ limit: 2 })) listed.push(video.id);
console.log(
  JSON.stringify({
    status: first.status,
    keys: Object.keys(first).slice(0, 13).sort(),
    magic: content.subarray(4, 8).toString(),
    thumbnail: thumbnail.headers.get("content-type"),
    ends: ends.map((video) => [video.status, video.seconds]),
    character: (await client.videos.getCharacter(character.id)).name,
    listed: new Set(listed).size >= 7 && listed.includes(first.id),
    deleted: await client.videos.delete(first.id).then((answer) => [answer.object, answer.deleted]),
    gone: await refusal(client.videos.retrieve(first.id)),
    wrong: await refusal(client.videos.create({ ...small, size: "65x32" })),
    models: (await client.models.list()).data.length,
  }),
);
