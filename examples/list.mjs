// Prints the first page of an account's videos.
//
// Run it behind the proxy, so that it never sees the API key:
//
//     apivideo-token run -allow 'GET /videos' -- node list.mjs

const { APIVIDEO_BASE_URL, APIVIDEO_API_KEY } = process.env;
const response = await fetch(`${APIVIDEO_BASE_URL}/videos`, {
  headers: { Authorization: `Basic ${btoa(`${APIVIDEO_API_KEY}:`)}` },
  signal: AbortSignal.timeout(30_000),
});
if (!response.ok) {
  throw new Error(`${response.status} ${await response.text()}`);
}
for (const { videoId, title } of (await response.json()).data) {
  console.log(videoId, title);
}
