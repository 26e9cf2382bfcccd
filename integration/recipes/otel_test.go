package recipes_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// observe reports a Source to OpenTelemetry each time a reader collects.
func observe(meter metric.Meter, account string, src *apivideo.Source) error {
	instruments := map[string]metric.Float64Observable{}
	for _, m := range measures {
		if instruments[m.name] != nil {
			continue
		}
		var err error
		if m.counter {
			instruments[m.name], err = meter.Float64ObservableCounter(m.name, metric.WithDescription(m.help))
		} else {
			instruments[m.name], err = meter.Float64ObservableGauge(m.name, metric.WithDescription(m.help))
		}
		if err != nil {
			return err
		}
	}
	var all []metric.Observable
	for _, i := range instruments {
		all = append(all, i)
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := src.Stats() // makes no call
		for _, m := range measures {
			labels := []attribute.KeyValue{attribute.String("account", account)}
			if m.result != "" {
				labels = append(labels, attribute.String("result", m.result))
			}
			o.ObserveFloat64(instruments[m.name], m.value(s), metric.WithAttributes(labels...))
		}
		return nil
	}, all...)
	return err
}

// collect returns the values that a reader gets, by name and labels as
// Prometheus writes them.
func collect(ctx context.Context, reader sdk.Reader) (map[string]float64, error) {
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		var points []metricdata.DataPoint[float64]
		switch data := m.Data.(type) {
		case metricdata.Gauge[float64]:
			points = data.DataPoints
		case metricdata.Sum[float64]:
			points = data.DataPoints
		}
		for _, p := range points {
			account, _ := p.Attributes.Value("account")
			name := fmt.Sprintf("%s{account=%q", m.Name, account.AsString())
			if result, ok := p.Attributes.Value("result"); ok {
				name += fmt.Sprintf(",result=%q", result.AsString())
			}
			values[name+"}"] = p.Value
		}
	}
	return values, nil
}

func Example_openTelemetry() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	ctx := context.Background()
	src := srv.Config().Source(ctx)
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("example")
	if err := observe(meter, "1a2b3c4d", src); err != nil {
		fmt.Println(err)
		return
	}
	src.Token()
	src.Renew(ctx)
	values, err := collect(ctx, reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready:", values[`apivideo_ready{account="1a2b3c4d"}`])
	fmt.Println("logins:", values[`apivideo_auth_calls_total{account="1a2b3c4d",result="exchanged"}`])
	fmt.Println("refreshes:", values[`apivideo_auth_calls_total{account="1a2b3c4d",result="refreshed"}`])
	// Output:
	// ready: 1
	// logins: 1
	// refreshes: 1
}

// An exporter keeps these names: they have the units and suffixes of Prometheus.
// Promise: The recipes for Prometheus and OpenTelemetry have the same metrics, with the account.
func TestOTelHasWhatPrometheusHas(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	one, two := srv.Config().Source(t.Context()), srv.Config().Source(t.Context())
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("example")
	require.NoError(t, observe(meter, "one", one))
	require.NoError(t, observe(meter, "two", two))
	_, err := one.Token()
	require.NoError(t, err)
	values, err := collect(t.Context(), reader)
	require.NoError(t, err)
	var scraped []string
	for _, line := range regexp.MustCompile(`(?m)^(apivideo_.*}) `).FindAllStringSubmatch(scrape(collector{"one": one, "two": two}), -1) {
		scraped = append(scraped, line[1])
	}
	assert.Len(t, scraped, 2*len(measures))
	assert.ElementsMatch(t, scraped, slices.Collect(maps.Keys(values)))
}
