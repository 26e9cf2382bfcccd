package standin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// fields are an object with its fields in order.
type fields []struct {
	name  string
	value any
}

// appendJSON appends a value. It is faster than package json, which checks
// what each nested marshaler returns.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case fields:
		b = append(b, '{')
		for i, f := range v {
			b = append(appendJSON(append(b, ","[:min(i, 1)]...), f.name), ':')
			b = appendJSON(b, f.value)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, element := range v {
			b = appendJSON(append(b, ","[:min(i, 1)]...), element)
		}
		return append(b, ']')
	case string:
		if !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			return append(append(append(b, '"'), v...), '"')
		}
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	}
	var other bytes.Buffer
	encoder := json.NewEncoder(&other)
	encoder.SetEscapeHTML(false)
	encoder.Encode(value)
	return append(b, bytes.TrimSpace(other.Bytes())...)
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(appendJSON(nil, v), '\n'))
}
