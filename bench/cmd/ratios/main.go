// Ratios runs the benchmarks of this module several times and prints what this
// library costs in proportion to its peers, as a Markdown table of medians.
//
//	go run ./cmd/ratios
//
// The runs follow one another, each with all peers side by side: what else the
// machine does then meets them all. It is to be run in the module's folder.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("ratios: ")
	count := flag.Int("count", 6, "run the benchmarks `n` times")
	bench := flag.String("bench", ".", "run those that match `regexp`")
	benchtime := flag.String("benchtime", "500ms", "run each for `d`")
	from := flag.String("from", "", "read the results in this `file` and run nothing")
	raw := flag.String("raw", "", "write the results to this `file` too, for benchstat -col /by")
	flag.Parse()

	results, err := read(*from, *count, *bench, *benchtime)
	if err == nil && *raw != "" {
		err = os.WriteFile(*raw, results, 0o666)
	}
	if err == nil {
		err = tabulate(os.Stdout, bytes.NewReader(results))
	}
	if err != nil {
		log.Fatal(err)
	}
}

// read returns the output of the benchmarks.
func read(from string, count int, bench, benchtime string) ([]byte, error) {
	if from != "" {
		return os.ReadFile(from)
	}
	var results bytes.Buffer
	for n := range count {
		fmt.Fprintf(os.Stderr, "run %d of %d\n", n+1, count)
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", bench, "-benchtime", benchtime, ".")
		cmd.Stdout = io.MultiWriter(&results, os.Stderr)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, err
		}
	}
	return results.Bytes(), nil
}
