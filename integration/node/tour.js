// Drives the official Node.js client through all kinds of resources, for one
// account of apivideo-standin. It returns what the tests look at.
import { createReadStream } from 'fs';

const refusal = (call) =>
  call.then(
    () => ({}),
    ({ code, problemDetails: { type, name } }) => ({ status: code, type: type.split('/').pop(), name })
  );

const videos = async (client, film) => {
  const title = 'A tour';
  const { videoId } = await client.videos.create({
    title,
    tags: ['tour', 'other'],
    metadata: [{ key: 'k', value: 'v' }],
    language: 'en',
  });
  const found = async (search) => (await client.videos.list(search)).data.map((video) => video.title);
  const result = {
    byTags: await found({ tags: ['tour', 'other'] }),
    byMetadata: await found({ metadata: { k: 'v' } }),
    byTitle: await found({ title: 'tour', sortBy: 'title', sortOrder: 'desc' }),
    byNothing: await found({ tags: ['tour', 'missing'] }),
  };
  result.updated = (await client.videos.update(videoId, { description: 'B', metadata: [] })).description;
  await client.videos.upload(videoId, film); // in parts
  const status = await client.videos.getStatus(videoId);
  result.status = [status.ingest.status, status.ingest.filesize, status.encoding.playable];
  result.again = await refusal(client.videos.upload(videoId, film));
  result.captions = [
    (await client.captions.upload(videoId, 'fr', 'tour.js')).languageName,
    (await client.captions.update(videoId, 'fr', { _default: true }))._default,
    (await client.captions.list({ videoId })).data.length,
  ];
  result.chapters = (await client.chapters.upload(videoId, 'fr', 'tour.js')).language;
  result.tags = (await client.tags.list({ value: 'TOUR' })).data;
  result.summary = (await client.summaries.create({ videoId, origin: 'auto' })).sourceStatus;
  result.plays = (await client.analytics.getMetricsBreakdown({ metric: 'play', breakdown: 'media-id' })).data.length;
  await client.videos.delete(videoId);
  result.deleted = await refusal(client.videos.get(videoId));
  result.discarded = (await client.videos.getDiscarded(videoId)).discarded;
  return result;
};

const delegated = async (client, film, picture) => {
  const { token } = await client.uploadTokens.createToken({ ttl: 60 });
  const whole = await client.videos.uploadWithUploadToken(token, picture);
  // The client's own parts have no videoId, those of a session have.
  const session = client.videos.createUploadWithUploadTokenProgressiveSession(token);
  await session.uploadPart(film);
  const parts = await session.uploadLastPart(film);
  const status = await client.videos.getStatus(parts.videoId);
  await client.uploadTokens.deleteToken(token);
  return {
    title: whole.title,
    status: [status.ingest.status, status.ingest.filesize],
    refused: await refusal(client.videos.uploadWithUploadToken(token, picture)),
  };
};

const others = async (client, picture) => {
  const live = await client.liveStreams.create({ name: 'A', restreams: [] });
  const player = await client.playerThemes.create({ name: 'A' });
  const logo = await client.playerThemes.uploadLogo(player.playerId, picture, 'https://example.com');
  const watermark = await client.watermarks.upload(picture);
  const webhook = await client.webhooks.create({ events: ['live-stream.broadcast.started'], url: 'https://example.com' });
  await client.liveStreams.uploadThumbnail(live.liveStreamId, createReadStream(picture));
  const result = {
    live: (await client.liveStreams.update(live.liveStreamId, { _public: false }))._public,
    lives: (await client.liveStreams.list({ name: 'A', sortBy: 'name' })).data.length,
    player: (await client.playerThemes.update(player.playerId, { enableApi: false })).enableApi,
    link: logo.assets.link,
    watermarks: (await client.watermarks.list({})).data.length,
    webhooks: (await client.webhooks.list({ events: 'live-stream.broadcast.started' })).data.length,
    wrong: await refusal(client.webhooks.create({})),
  };
  await client.liveStreams.delete(live.liveStreamId);
  await client.playerThemes.deleteLogo(player.playerId);
  await client.playerThemes.delete(player.playerId);
  await client.watermarks.delete(watermark.watermarkId);
  await client.webhooks.delete(webhook.webhookId);
  return result;
};

export const tour = async (client, film, picture) => ({
  videos: await videos(client, film),
  delegated: await delegated(client, film, picture),
  others: await others(client, picture),
});
