package recipes_test

import (
	"context"
	"fmt"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// observe reports a Source to OpenTelemetry each time a reader collects.
func observe(meter metric.Meter, src *apivideo.Source) error {
	usable, err := meter.Int64ObservableGauge("apivideo.token.usable")
	if err != nil {
		return err
	}
	expiry, err := meter.Float64ObservableGauge("apivideo.token.expiration", metric.WithUnit("s"))
	if err != nil {
		return err
	}
	calls, err := meter.Int64ObservableCounter("apivideo.auth.calls")
	if err != nil {
		return err
	}
	result := func(r string) metric.ObserveOption { return metric.WithAttributes(attribute.String("result", r)) }
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := src.Stats() // makes no call
		up := int64(0)
		if s.Usable {
			up = 1
		}
		o.ObserveInt64(usable, up)
		o.ObserveFloat64(expiry, seconds(s.Expiry))
		o.ObserveInt64(calls, int64(s.Exchanges), result("exchanged"))
		o.ObserveInt64(calls, int64(s.Refreshes), result("refreshed"))
		o.ObserveInt64(calls, int64(s.Failures), result("failed"))
		return nil
	}, usable, expiry, calls)
	return err
}

func Example_openTelemetry() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	ctx := context.Background()
	src := srv.Config().Source(ctx)
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("example")
	if err := observe(meter, src); err != nil {
		fmt.Println(err)
		return
	}
	src.Token()
	src.Renew(ctx)

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Gauge[int64]:
			fmt.Println(m.Name, data.DataPoints[0].Value)
		case metricdata.Gauge[float64]:
			fmt.Println(m.Name, data.DataPoints[0].Value == seconds(src.Stats().Expiry))
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				result, _ := p.Attributes.Value("result")
				fmt.Println(m.Name, result.AsString(), p.Value)
			}
		}
	}
	// Unordered output:
	// apivideo.token.usable 1
	// apivideo.token.expiration true
	// apivideo.auth.calls exchanged 1
	// apivideo.auth.calls refreshed 1
	// apivideo.auth.calls failed 0
}
