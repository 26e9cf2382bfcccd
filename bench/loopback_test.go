package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkLoopback is a whole request over TLS to a server on a loopback
// address. It reads the whole answer.
func BenchmarkLoopback(b *testing.B) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"data":[]}`)
		}))
		srv.EnableHTTP2 = proto == "HTTP/2.0"
		srv.StartTLS()
		for _, peer := range Peers {
			// Part of a name cannot have a slash.
			b.Run("proto=HTTP"+proto[5:]+"/by="+peer, func(b *testing.B) {
				o := Options{Service: &Service{}, Base: srv.Client().Transport, BaseURL: srv.URL}
				client := &http.Client{Transport: mustTransport(b, peer, o)}
				mustGet(b, client, srv.URL, proto)
				b.ReportAllocs()
				for b.Loop() {
					mustGet(b, client, srv.URL, proto)
				}
			})
		}
		srv.Close()
	}
}

func mustGet(b *testing.B, client *http.Client, url, proto string) {
	resp, err := client.Get(url + "/videos")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || resp.Proto != proto {
		b.Fatal(resp.Status, resp.Proto, err)
	}
}
