// Ratios runs the benchmarks of this module several times and prints the cost of
// this library in proportion to its peers: a Markdown table of medians.
//
//	go run ./cmd/ratios
//	go run ./cmd/ratios -bench Token
//
// Run it in the module's folder. Each run has all peers side by side, so that
// another load on the machine disturbs all of them.
package main

import (
	"bytes"
	"flag"
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
	flag.Parse()

	var results bytes.Buffer
	for n := range *count {
		log.Printf("run %d of %d", n+1, *count)
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", *bench, "-benchtime", *benchtime, ".")
		cmd.Stdout = io.MultiWriter(&results, os.Stderr)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			log.Fatal(err)
		}
	}
	if err := tabulate(os.Stdout, &results); err != nil {
		log.Fatal(err)
	}
}
