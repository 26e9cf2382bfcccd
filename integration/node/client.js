// Runs one command with the official Node.js client, against
// APIVIDEO_BASE_URL with APIVIDEO_API_KEY, and prints what it returned or threw
// as JSON. The tests in Go start it.
import ApiVideoClient from '@api.video/nodejs-client';
import { tour } from './tour.js';

const baseUri = process.env.APIVIDEO_BASE_URL;
const client = new ApiVideoClient({
  baseUri,
  apiKey: process.env.APIVIDEO_API_KEY,
  chunkSize: 5 * 1024 * 1024, // the smallest that the client takes
  applicationName: 'standin-test',
  applicationVersion: '1.0',
});

const inParts = async (session, files) => {
  for (const file of files.slice(0, -1)) {
    await session.uploadPart(file);
  }
  return session.uploadLastPart(files.at(-1));
};

const commands = {
  create: (title) => client.videos.create({ title, tags: ['a', 'b'] }),
  get: (id) => client.videos.get(id),
  update: (id, description) => client.videos.update(id, { description }),
  delete: (id) => client.videos.delete(id).then(() => ({})),
  list: (currentPage, pageSize) => client.videos.list({ currentPage: +currentPage, pageSize: +pageSize }),
  // as many requests at once
  lists: async (times) => ({ pages: await Promise.all(Array.from({ length: +times }, () => client.videos.list({}))) }),
  upload: (id, file) => client.videos.upload(id, file),
  progressive: (id, ...files) => inParts(client.videos.createUploadProgressiveSession(id), files),
  uploadToken: (ttl) => client.uploadTokens.createToken({ ttl: +ttl }),
  endUploadToken: (token) => client.uploadTokens.deleteToken(token).then(() => ({})),
  delegated: (token, file) => client.videos.uploadWithUploadToken(token, file),
  delegatedProgressive: (token, ...files) =>
    inParts(client.videos.createUploadWithUploadTokenProgressiveSession(token), files),
  accessToken: () => client.getAccessToken(),
  tour: (film, picture) => tour(client, film, picture),
  environment: async () => ({ environment: process.env }),
};

const [command, ...args] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await commands[command](...args)));
} catch (error) {
  if (error.code === undefined) throw error; // not the client's own
  console.log(JSON.stringify({ error: error.code, problem: error.problemDetails }));
}
