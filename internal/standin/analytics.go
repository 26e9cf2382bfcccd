package standin

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// period is the time that analytics are about.
type period struct{ from, to time.Time }

const (
	longestPeriod = 30 * 24 * time.Hour
	hourly        = 48 * time.Hour // up to this, a series has values of hours
)

// periodOf reads the parameters from and to.
func (c *call) periodOf() (p period, refused *Problem) {
	var wrong []Problem
	read := func(name string, unset time.Time) time.Time {
		text := c.r.URL.Query().Get(name)
		if text == "" {
			return unset
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			wrong = append(wrong, invalidAttribute(name, "This value is not a date-time in ATOM format."))
		}
		return at
	}
	p.to = read("to", time.Now())
	p.from = read("from", p.to.Add(-24*time.Hour))
	if wrong == nil && (p.from.After(p.to) || time.Since(p.from) > longestPeriod+time.Minute) {
		wrong = append(wrong, invalidAttribute("from", "This value is more than 30 days ago, or after to."))
	}
	return p, refuse(wrong...)
}

func (p period) fields() fields { return fields{{"from", moment(p.from)}, {"to", moment(p.to)}} }

// metric reads the metric of a call, which the rows of allowed know with the
// values of the other path parameter, all if there are none.
func (c *call) metric(allowed map[string][]string, other string) (metric, value string, refused *Problem) {
	metric, value = c.r.PathValue("metric"), c.r.PathValue(other)
	values, known := allowed[metric]
	switch {
	case !known:
		return "", "", refuse(invalidAttribute("metric", "The metric is not one of this operation."))
	case other != "" && !slices.Contains(values, value):
		return "", "", refuse(invalidAttribute(other, "The value cannot be used with this metric."))
	}
	return metric, value, nil
}

// madeUp is a number that stays the same for the same words.
func madeUp(words ...any) int64 {
	h := fnv.New32a()
	fmt.Fprintln(h, words...)
	return int64(h.Sum32() % 100)
}

// aggregate answers with one made-up number.
func aggregate(c *call) (any, *Problem) {
	metric, aggregation, refused := c.metric(aggregations, "aggregation")
	if refused != nil {
		return nil, refused
	}
	period, refused := c.periodOf()
	if refused != nil {
		return nil, refused
	}
	return fields{
		{"context", fields{{"metric", metric}, {"aggregation", aggregation}, {"timeframe", period.fields()}}},
		{"data", madeUp(metric, aggregation)},
	}, nil
}

// breakdown has made-up numbers for the values of a dimension.
func breakdown(c *call) ([]*item, fields, *Problem) {
	metric, dimension, refused := c.metric(breakdowns, "breakdown")
	if refused != nil {
		return nil, nil, refused
	}
	period, refused := c.periodOf()
	if refused != nil {
		return nil, nil, refused
	}
	values := dimensions[dimension]
	if dimension == "media-id" {
		values = c.media()
	}
	var items []*item
	for _, value := range values {
		items = append(items, &item{values: map[string]any{"dimensionValue": value, "metricValue": madeUp(metric, value)}})
	}
	return items, fields{{"context", fields{{"metric", metric}, {"breakdown", dimension}, {"timeframe", period.fields()}}}}, nil
}

// media returns the identifiers of the videos and live streams.
func (a *api) media() (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range []string{"videos", "live-streams"} {
		for _, it := range a.in(name).order {
			if resource(name).shows(it) {
				ids = append(ids, it.id)
			}
		}
	}
	return ids
}

// series has a made-up number for each hour or day of a period.
func series(c *call) ([]*item, fields, *Problem) {
	metric, _, refused := c.metric(seriesOf, "")
	if refused != nil {
		return nil, nil, refused
	}
	period, refused := c.periodOf()
	if refused != nil {
		return nil, nil, refused
	}
	interval, step := c.r.URL.Query().Get("interval"), time.Hour
	switch {
	case interval == "" && period.to.Sub(period.from) <= hourly:
		interval = "hour"
	case interval == "":
		interval = "day"
	case interval != "hour" && interval != "day":
		return nil, nil, refuse(invalidAttribute("interval", "The value must be one of hour, day."))
	}
	if interval == "day" {
		step = 24 * time.Hour
	}
	var items []*item
	for at := period.from.Truncate(step); at.Before(period.to); at = at.Add(step) {
		items = append(items, &item{values: map[string]any{"emittedAt": moment(at), "metricValue": madeUp(metric, at.Unix())}})
	}
	return items, fields{{"context", fields{{"metric", metric}, {"interval", interval}, {"timeframe", period.fields()}}}}, nil
}
