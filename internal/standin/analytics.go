package standin

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

const (
	longestPeriod = 30 * 24 * time.Hour
	hourly        = 48 * time.Hour // up to this, a series has values of hours
)

// question is what a call asks about: a metric, with the value of another path
// parameter, in a period.
type question struct {
	metric, value string
	from, to      time.Time
}

// ask reads what a call asks about. allowed are the metrics, with the values of
// the other path parameter that can be used with them.
func (c *call) ask(allowed map[string][]string, other string) (q question, refused *Problem) {
	var wrong []Problem
	refuseIf := func(is bool, name, detail string) {
		if is {
			wrong = append(wrong, invalidAttribute(name, detail))
		}
	}
	at := func(name string, unset time.Time) time.Time {
		text := c.r.URL.Query().Get(name)
		if text == "" {
			return unset
		}
		at, err := time.Parse(time.RFC3339, text)
		refuseIf(err != nil, name, "This value is not a date-time in ATOM format.")
		return at
	}
	q.metric, q.value = c.r.PathValue("metric"), c.r.PathValue(other)
	values, known := allowed[q.metric]
	refuseIf(!known, "metric", "The metric is not one of this operation.")
	refuseIf(known && other != "" && !slices.Contains(values, q.value), other, "The value cannot be used with this metric.")
	q.to = at("to", time.Now())
	q.from = at("from", q.to.Add(-24*time.Hour))
	refuseIf(wrong == nil && (q.from.After(q.to) || time.Since(q.from) > longestPeriod+time.Minute),
		"from", "This value is more than 30 days ago, or after to.")
	return q, refuse(wrong...)
}

// context describes the question in the answer.
func (q question) context(other, value string) fields {
	timeframe := fields{{"from", moment(q.from)}, {"to", moment(q.to)}}
	return fields{{"context", fields{{"metric", q.metric}, {other, value}, {"timeframe", timeframe}}}}
}

// madeUp is a number that stays the same for the same words.
func madeUp(words ...any) int64 {
	h := fnv.New32a()
	fmt.Fprintln(h, words...)
	return int64(h.Sum32() % 100)
}

// aggregate answers with one made-up number.
func aggregate(c *call) (any, *Problem) {
	q, refused := c.ask(aggregations, "aggregation")
	return append(q.context("aggregation", q.value), fields{{"data", madeUp(q.metric, q.value)}}...), refused
}

// breakdown has made-up numbers for the values of a dimension.
func breakdown(c *call) (items []*item, context fields, refused *Problem) {
	q, refused := c.ask(breakdowns, "breakdown")
	values := dimensions[q.value]
	if q.value == "media-id" {
		for _, it := range append(c.all(resource("videos")), c.all(resource("live-streams"))...) {
			values = append(values, it.id)
		}
	}
	for _, value := range values {
		items = append(items, &item{values: map[string]any{"dimensionValue": value, "metricValue": madeUp(q.metric, value)}})
	}
	return items, q.context("breakdown", q.value), refused
}

// series has a made-up number for each hour or day of a period.
func series(c *call) (items []*item, context fields, refused *Problem) {
	q, refused := c.ask(seriesOf, "")
	interval := c.r.URL.Query().Get("interval")
	if interval == "" {
		interval = "day"
		if q.to.Sub(q.from) <= hourly {
			interval = "hour"
		}
	}
	step := map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour}[interval]
	switch {
	case refused != nil:
		return nil, nil, refused
	case step == 0:
		return nil, nil, refuse(invalidAttribute("interval", "The value must be one of hour, day."))
	}
	for at := q.from.Truncate(step); at.Before(q.to); at = at.Add(step) {
		items = append(items, &item{values: map[string]any{"emittedAt": moment(at), "metricValue": madeUp(q.metric, at.Unix())}})
	}
	return items, q.context("interval", interval), nil
}
