package apivideo_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines is a slog.Handler that keeps the lines it gets.
type lines struct {
	mu  sync.Mutex
	all []slog.Record
}

// lines returns a handler that gets what Sources made from now on log.
func (w *world) lines() *lines {
	l := &lines{}
	w.conf.Logger = slog.New(l)
	return l
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r)
	return nil
}

// where returns the lines with this message and at least this level. In a bubble.
func (l *lines) where(message string, least slog.Level) (found []slog.Record) {
	synctest.Wait() // a line may appear late
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if (message == "" || r.Message == message) && r.Level >= least {
			found = append(found, r)
		}
	}
	return found
}

// count is how many lines there are with this message and at least this level.
func (l *lines) count(message string, least slog.Level) int { return len(l.where(message, least)) }

// attr is the text of an attribute, "" if there is none.
func attr(r slog.Record, name string) (text string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == name {
			text = a.Value.String()
		}
		return true
	})
	return text
}

// checkQuiet checks that no message is logged above Info level more than once a
// minute.
func checkQuiet(t *testing.T, l *lines) {
	t.Helper()
	last := map[string]time.Time{}
	for _, r := range l.where("", slog.LevelWarn) {
		if at, ok := last[r.Message]; ok {
			assert.GreaterOrEqual(t, r.Time.Sub(at), time.Minute, r.Message)
		}
		last[r.Message] = r.Time
	}
	assert.NotEmpty(t, last)
}

// blockingLogger returns a Logger that calls block for each line.
func blockingLogger(block func()) *slog.Logger {
	return slog.New(blockingHandler{&lines{}, block})
}

type blockingHandler struct {
	*lines
	block func()
}

func (h blockingHandler) Handle(ctx context.Context, r slog.Record) error {
	h.block()
	return h.lines.Handle(ctx, r)
}

// documented is a line of testdata/logs.txt, as in the table of docs/logs.md.
type documented struct {
	levels []string
	attrs  []string // sorted
	seen   map[string]bool
}

// logTable reads testdata/logs.txt: message | levels | attributes.
func logTable(t *testing.T) map[string]*documented {
	t.Helper()
	text, err := os.ReadFile("testdata/logs.txt")
	require.NoError(t, err)
	table := map[string]*documented{}
	for line := range strings.Lines(string(text)) {
		row := strings.Split(line, "|")
		require.Len(t, row, 3)
		d := &documented{seen: map[string]bool{}}
		d.levels = strings.Split(strings.ToUpper(strings.TrimSpace(row[1])), ", ")
		d.attrs = strings.Fields(strings.ReplaceAll(row[2], "`", ""))
		slices.Sort(d.attrs)
		table[strings.TrimSpace(row[0])] = d
	}
	return table
}

// kinds are the kinds of attributes that are not strings. An error is KindAny.
var kinds = map[string]slog.Kind{
	"duration": slog.KindDuration, "attempt": slog.KindInt64, "waiters": slog.KindInt64,
	"expiry": slog.KindTime, "usable_until": slog.KindTime,
}

// check compares a line with its row.
func (d *documented) check(t *testing.T, r slog.Record) {
	t.Helper()
	require.NotNil(t, d, "%s is not in testdata/logs.txt", r.Message)
	assert.Contains(t, d.levels, r.Level.String(), r.Message)
	d.seen[r.Level.String()] = true
	names := []string{}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "base_url":
			assert.Equal(t, "https://apivideotest.invalid:443", a.Value.String())
		case "account":
			assert.Regexp(t, "^[0-9a-f]{8}$", a.Value.String())
		default:
			names = append(names, a.Key)
			if a.Key != "error" {
				assert.Equal(t, kinds[a.Key] == 0, a.Value.Kind() == slog.KindString, a.Key)
				assert.True(t, kinds[a.Key] == 0 || kinds[a.Key] == a.Value.Kind(), a.Key)
			}
		}
		return true
	})
	slices.Sort(names)
	assert.Equal(t, d.attrs, names, r.Message)
	assert.NotEmpty(t, attr(r, "base_url"), r.Message)
}

// Each line that can be logged is in the table, with its level and attributes.
// Each row of the table can be logged.
//
// Promise: Log lines have the messages, levels and attributes of [logs.md](logs.md).
func TestLogLinesMatchTheTable(t *testing.T) {
	table := logTable(t)
	for _, scene := range []func(t *testing.T, w *world){
		logRenewals, logStore, logKeys, logUntouched,
	} {
		fleet(t, func(t *testing.T, w *world) {
			log := w.lines()
			scene(t, w)
			for _, r := range log.where("", slog.LevelDebug) {
				table[r.Message].check(t, r)
				unknown := regexp.MustCompile("getting the API key|Goexit").MatchString(attr(r, "error"))
				assert.True(t, attr(r, "account") != "" || unknown || strings.HasSuffix(r.Message, "without a token"), r.Message)
			}
		})
	}
	for message, d := range table {
		for _, level := range d.levels {
			assert.True(t, d.seen[level], "%s is never logged at level %s", message, level)
		}
	}
}

// logRenewals has renewals succeed and fail.
func logRenewals(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(w.ctx)
	src := w.conf.Source(ctx)
	client := src.Client(w.ctx)
	w.get(t, client, 200)
	w.srv.RevokeAccessTokens()
	w.get(t, client, 200)
	w.fail(apivideotest.Status(503))
	time.Sleep(50 * time.Minute)
	w.fail(apivideotest.Fault{})
	time.Sleep(5 * time.Minute)
	w.srv.SetSuspended(true)
	src.Renew(ctx)
	time.Sleep(10 * time.Second)
	w.srv.SetSuspended(false)
	cancel()
	for range 120 {
		time.Sleep(time.Minute)
		w.get(t, client, 200)
	}
}

func logStore(t *testing.T, w *world) {
	src, _ := w.warm(t)
	w.store.SetFault(memstore.Fault{Err: errStoreDown})
	mustRenew(t, src)
	w.store.SetFault(memstore.Fault{})
	mustRenew(t, src)
	w.conf.Store = hooks{load: func(context.Context, string) ([]byte, error) { panic("made-up panic") }}
	mustToken(t, w.source())
}

func logKeys(t *testing.T, w *world) {
	file := w.keyFile(t)
	src, _ := w.warm(t)
	require.NoError(t, os.Remove(string(file)))
	mustRenew(t, src)
	mustRenew(t, src)
	w.source().Token()
	file.write(t, w.srv.AddKey())
	mustRenew(t, src)
	w.keyFunc(func(context.Context) (string, error) { goexit(); return "", nil })
	w.source().Token()
}

func logUntouched(t *testing.T, w *world) {
	client := w.client()
	w.setAPI(reply(204, "", ""))
	for _, url := range []string{"https://example.com/", apivideo.SandboxURL, apivideo.SandboxURL} {
		resp, err := client.Get(url)
		require.NoError(t, err)
		resp.Body.Close()
	}
}

// Promise: The first request to the other environment is a Warn, however its host is written.
func TestTransportWarnsOfAnySpelling(t *testing.T) {
	for _, url := range []string{
		"https://sandbox.api.video/videos", "https://SANDBOX.api.video/videos", "https://sandbox.api.video:443/videos",
	} {
		bubble(t, func(t *testing.T, w *world) {
			log := w.lines()
			w.conf.BaseURL = apivideo.ProductionURL
			w.setAPI(reply(401, "", ""))
			resp, err := w.client().Get(url)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, 1, log.count("api.video: request passed without a token", slog.LevelWarn), url)
		})
	}
}

// The first failure is a Warn; then there is at most one a minute. If the
// service rejects the account, that is an Error at once. The first success
// after a failure is Info.
//
// Promise: Failed renewals are Warn or Error at most once a minute; a rejected key is Error at once.
func TestLogIsQuiet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.lines()
		src, tok := w.warm(t)
		src.Invalidate(tok)
		failFor := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				_, err := src.Token()
				require.Error(t, err)
			}
		}
		const failed = "api.video: no new access token"
		w.fail(apivideotest.Status(503))
		failFor(30 * time.Second)
		assert.Equal(t, 1, log.count(failed, slog.LevelWarn))
		assert.Greater(t, log.count(failed, slog.LevelDebug), 3)
		w.fail(refusal("The API key is invalid."))
		failFor(45 * time.Second)
		assert.Equal(t, 1, log.count(failed, slog.LevelError), "at once, though a Warn came before")
		failFor(time.Hour)
		lines := log.where(failed, slog.LevelWarn)
		for i, r := range lines[2:] {
			assert.GreaterOrEqual(t, r.Time.Sub(lines[i+1].Time), time.Minute)
		}
		assert.Greater(t, len(lines), 20, "it is not silent either")
		assert.Zero(t, log.count("api.video: new access token", slog.LevelInfo))
		w.fail(apivideotest.Fault{})
		time.Sleep(time.Minute)
		mustToken(t, src)
		mustRenew(t, src)
		assert.Equal(t, 1, log.count("api.video: new access token", slog.LevelInfo), "after the failure")
		assert.Equal(t, 3, log.count("api.video: new access token", slog.LevelDebug))
	})
}

// The auth call was one of another process, whose token or failure is shared.
//
// Promise: The log line about a token or a failure of another process has no `op`.
func TestLogFromTheStoreHasNoOp(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		log := w.lines()
		mustToken(t, w.source())
		w.fail(apivideotest.Status(503))
		src.Invalidate(tok)
		_, err := src.Token()
		require.Error(t, err)
		fresh := w.source()
		fresh.Invalidate(atOnce(t, fresh))
		_, err = fresh.Token()
		require.Error(t, err)
		synctest.Wait()
		for _, message := range []string{"api.video: new access token", "api.video: no new access token"} {
			lines := log.where(message, slog.LevelDebug)
			require.NotEmpty(t, lines)
			for _, line := range lines {
				assert.Equal(t, "store", attr(line, "from"))
				assert.Empty(t, attr(line, "op"))
			}
		}
	})
}

// Promise: The attribute `next_attempt_in` of log lines is a rounded string.
func TestLogNextAttemptIsAString(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var b bytes.Buffer
		w.conf.Logger = slog.New(slog.NewJSONHandler(&b, nil))
		for _, asked := range []string{"0", "7", "59", "270"} {
			w.fail(apivideotest.Status(503).RetryAfter(asked))
			w.source().Token()
			synctest.Wait()
		}
		assert.Regexp(t, `(?s)"next_attempt_in":"(\d+0ms|1s)".*"next_attempt_in":"7.0s".*"next_attempt_in":"59s".*"next_attempt_in":"4m30s"`, b.String())
	})
}

// Promise: No log line has HTML.
func TestLogHasNoHTML(t *testing.T) {
	for name, test := range map[string]struct{ kind, page, said string }{
		"page":              {"text/html", "<html><head><title>502 Bad\n Gateway</title></head><body><h1>Oops</h1></body></html>", "text/html: 502 Bad Gateway"},
		"upper case":        {"text/html; charset=UTF-8", "<!DOCTYPE HTML><HTML><TITLE lang=en>Down</TITLE>Oops", "text/html; charset=UTF-8: Down"},
		"byte order mark":   {"text/html", "\xef\xbb\xbf<!doctype html><title>Down</title>Oops", "text/html: Down"},
		"text before":       {"text/html", "error code: 502\n<html><title>Down</title>Oops", "text/html: Down"},
		"comment":           {"", "<!-- cdn --><html><title>Down</title>Oops", "Down"},
		"no title":          {"text/html", "<html><body>Oops</body></html>", "text/html"},
		"empty title":       {"text/html", "<html><title></title>Oops", "text/html"},
		"escapes":           {"text/html", "<title>api.video &amp; friends &mdash; 503</title>Oops", "api.video & friends — 503"},
		"markup in a title": {"text/html", "<title><b>Down</b></title>Oops", "text/html: Down"},
		"text":              {"text/plain", "upstream connect error", "text/plain: upstream connect error"},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			log := w.lines()
			w.setAuth(reply(502, test.kind, test.page))
			_, err := w.source().Token()
			require.Error(t, err)
			found := log.where("api.video: no new access token", slog.LevelWarn)
			require.Len(t, found, 1)
			assert.Equal(t, err.Error(), attr(found[0], "error"))
			assert.Contains(t, err.Error(), "502 Bad Gateway")
			assert.True(t, strings.HasSuffix(err.Error(), test.said), err.Error())
			assert.NotContains(t, err.Error(), "Oops")
			assert.NotContains(t, err.Error(), "<")
		}))
	}
}
