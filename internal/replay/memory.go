package replay

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// The types of io.NopCloser, and the GetBody functions of net/http.
var (
	nopClosers = map[reflect.Type]bool{
		reflect.TypeOf(io.NopCloser(nil)):             true,
		reflect.TypeOf(io.NopCloser(&bytes.Reader{})): true, // has WriteTo
	}
	ownGetBody = [...]uintptr{
		getBodyOf(strings.NewReader("x")), getBodyOf(bytes.NewReader([]byte("x"))), getBodyOf(bytes.NewBufferString("x")),
	}
)

// getBodyOf returns the code of the GetBody that http.NewRequest makes for a body.
func getBodyOf(body io.Reader) uintptr {
	req, err := http.NewRequest(http.MethodPost, "http://localhost", body)
	if err != nil {
		panic(err) // the URL is valid
	}
	return reflect.ValueOf(req.GetBody).Pointer()
}

// copiesShareNothing reports whether http.NewRequest made the GetBody of a request:
// each of its results is a new reader of bytes that nobody changes.
func copiesShareNothing(req *http.Request) bool {
	return slices.Contains(ownGetBody[:], reflect.ValueOf(req.GetBody).Pointer())
}

// inMemory returns a body with the content of one that is in memory, or nil. It
// recognizes a body as net/http does, which sends such a body together with the
// headers. The position of the result is not shared: GetBody may rewind the reader
// of the caller.
func inMemory(body io.ReadCloser) io.ReadCloser {
	if !nopClosers[reflect.TypeOf(body)] {
		return nil
	}
	switch r := reflect.ValueOf(body).Field(0).Interface().(type) {
	case *bytes.Reader:
		own := *r
		return io.NopCloser(&own)
	case *strings.Reader:
		own := *r
		return io.NopCloser(&own)
	case *bytes.Buffer:
		return io.NopCloser(r) // cannot be rewound
	case io.ReadCloser:
		return inMemory(r)
	}
	return nil
}
