//go:build unix

package pgstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/stretchr/testify/require"
)

// The test binary runs itself as the processes of a fleet. These variables of
// the environment make it one.
const (
	databaseVar = "PGSTORE_TEST_DATABASE"
	baseURLVar  = "PGSTORE_TEST_BASE_URL"
	apiKeyVar   = "APIVIDEO_API_KEY"
)

// report is what a process prints.
type report struct{ Token, Error string }

func TestMain(m *testing.M) {
	if url := os.Getenv(databaseVar); url != "" {
		json.NewEncoder(os.Stdout).Encode(getToken(url))
		return
	}
	flag.Set("test.parallel", "16") // for these tests wait more than they work
	code := m.Run()
	if s, err := shared(); err == nil {
		s.kill()
	}
	if folder, err := root(); err == nil {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// getToken gets a token when there is a line on standard input.
func getToken(url string) (r report) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return report{Error: err.Error()}
	}
	db.SetMaxOpenConns(2)
	conf := &apivideo.Config{APIKey: os.Getenv(apiKeyVar), BaseURL: os.Getenv(baseURLVar), Store: pgstore.New(db)}
	// A new connection costs the server so much that two cores need seconds
	// for a hundred at once. A Source waits only one second for its Store.
	for err := errors.New("not yet loaded"); err != nil; {
		_, err = conf.Store.Load(context.Background(), key)
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	tok, err := conf.Source(context.Background()).Token()
	if err != nil {
		return report{Error: err.Error()}
	}
	return report{Token: tok.AccessToken}
}

// child is a process of the fleet.
type child struct{ *childtest.Child }

// startChildren starts n processes and waits until all of them wait.
func startChildren(t *testing.T, n int, srv *apivideotest.Server, url string) []*child {
	t.Helper()
	store(t, pgstore.New(open(t, url)), "another account's") // creates the table
	children := make([]*child, n)
	for i := range children {
		self := childtest.Self(databaseVar+"="+url, baseURLVar+"="+srv.URL, apiKeyVar+"="+srv.Config().APIKey)
		children[i] = &child{childtest.Start(t, self)}
	}
	for _, c := range children {
		require.Equal(t, "ready", c.Line())
	}
	return children
}

// begin lets a process begin.
func (c *child) begin() { io.WriteString(c.Input, "go\n") }

// report waits for what the process reports.
func (c *child) report() (r report) {
	if err := json.Unmarshal([]byte(c.Rest()), &r); err != nil {
		r.Error = "no report: " + err.Error()
	}
	return r
}
