package recipes_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// publish shows a Source at /debug/vars. It turns the error into a string,
// because JSON shows an error as {}.
func publish(name string, src *apivideo.Source) {
	expvar.Publish(name, expvar.Func(func() any {
		s := src.Stats() // makes no call
		vars := struct {
			apivideo.Stats
			LastError string
		}{Stats: s}
		if s.LastError != nil {
			vars.LastError = s.LastError.Error()
		}
		return vars
	}))
}

func Example_expvar() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(context.Background())
	publish("apivideo", src)
	src.Token()
	srv.Fail(apivideotest.Status(404))
	srv.SetSuspended(true)
	src.Renew(context.Background())

	var shown struct {
		Usable    bool
		Exchanges int
		Failures  int
		LastError string
	}
	if err := json.Unmarshal([]byte(expvar.Get("apivideo").String()), &shown); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", shown)
	// Output:
	// {Usable:true Exchanges:1 Failures:2 LastError:apivideo: authenticate: 403 Forbidden: Suspended account}
}
