package standin

import (
	"slices"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// status answers with what has arrived of a video's file; a video without any
// has no "ingest". A file that is whole counts as encoded. Nothing is known
// about its content.
func status(c *call) (any, *Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, qualities, answer := c.item.upload, []any{}, fields{}
	if u.complete {
		qualities = encoded
	}
	if len(u.parts) > 0 {
		answer = fields{{"ingest", u.ingest()}}
	}
	encoding := fields{{"playable", u.complete}, {"qualities", qualities}, {"metadata", unknownMedia}}
	return append(answer, fields{{"encoding", encoding}}...), nil
}

// pickThumbnail takes a time of the video, whose picture nobody knows.
func pickThumbnail(c *call, in payload) (any, *Problem) {
	if refused := refuse(apply(thumbnailPick, in, OnCreate, "", payload{})...); refused != nil {
		return nil, refused
	}
	return c.edit(nil, nil)
}

// discard makes a video one that is deleted later.
func discard(it *item) *item {
	now := time.Now()
	end := now.AddDate(0, 1, 0)
	it = it.with(map[string]any{"discarded": true, "discardedAt": moment(now), "deletesAt": moment(end)})
	it.expiry = end
	return it
}

// restore makes a discarded video one that is not.
func restore(c *call, in payload) (any, *Problem) {
	if in["discarded"] != false {
		return nil, refuse(invalidAttribute("discarded", "Value must be false."))
	}
	return c.alter(func(it *item) (*item, *Problem) {
		it = it.with(map[string]any{"discarded": false, "discardedAt": nil, "deletesAt": nil})
		it.expiry = time.Time{}
		return it, nil
	})
}

// endBroadcast ends what a live stream sends. It goes on for a few seconds at
// the service.
func endBroadcast(c *call) (any, *Problem) {
	_, refused := c.alter(func(it *item) (*item, *Problem) { return it.with(map[string]any{"broadcasting": false}), nil })
	return nil, refused
}

// summarySource answers with the text of a summary.
func summarySource(c *call) (any, *Problem) {
	if c.item.values["sourceStatus"] != "completed" {
		return nil, c.resource.notFound()
	}
	return show(summaryText, c.item.values, c.view(c.item)), nil
}

// summarize finishes a new summary of a video. A generated one is there at
// once, and made up.
func summarize(a *api, values map[string]any) *Problem {
	videos := resource("videos")
	it := a.get(videos, nil, values["videoId"].(string))
	if it == nil {
		return videos.notFound()
	}
	if values["origin"] == "auto" {
		values["sourceStatus"] = "completed"
		values["title"], values["abstract"] = it.values["title"], "A made-up summary."
		values["takeaways"] = []any{"The first point.", "The second point.", "The third point."}
	}
	return nil
}

// writeSummary sets the text of a summary that has none.
func writeSummary(c *call, in payload) (any, *Problem) {
	changed, refused := c.change(c.resource, c.item, func(it *item) (*item, *Problem) {
		if it.values["sourceStatus"] != "missing" {
			return nil, only(documented(problems.SummaryExists))
		}
		it = it.with(map[string]any{"sourceStatus": "completed"})
		c.resource.touch(it.values)
		return it, refuse(apply(summaryText, in, OnUpdate, "", it.values)...)
	})
	if refused != nil {
		return nil, refused
	}
	return show(summaryText, changed.values, c.view(changed)), nil
}

// countTags keeps a resource of the tags of videos. a.mu is held.
func countTags(a *api, old, now *item) {
	before, after := tagsOf(old), tagsOf(now)
	for _, tag := range before {
		if !slices.Contains(after, tag) {
			a.countTag(tag.(string), -1)
		}
	}
	for _, tag := range after {
		if !slices.Contains(before, tag) {
			a.countTag(tag.(string), 1)
		}
	}
}

func (a *api) countTag(tag string, more int64) {
	c := a.in("tags")
	it := c.byID[tag]
	if it == nil {
		a.created++
		it = &item{id: tag, number: a.created, values: map[string]any{"value": tag, "videoCount": int64(0)}}
	}
	count := it.values["videoCount"].(int64) + more
	if count == 0 {
		c.delete(it)
		return
	}
	c.put(it.with(map[string]any{"videoCount": count}))
}

// tagsOf returns the different tags of a video. A nil one and a discarded one
// have none.
func tagsOf(it *item) (tags []any) {
	if it == nil || !resource("videos").shows(it) {
		return nil
	}
	for _, tag := range it.values["tags"].([]any) {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}
