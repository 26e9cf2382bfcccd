package year_test

import (
	"os"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
)

func TestMain(m *testing.M) { os.Exit(leftover.Run(m, "")) }
