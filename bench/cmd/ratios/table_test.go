package main

import (
	"fmt"
	"os"
	"strings"
)

func Example_tabulate() {
	err := tabulate(os.Stdout, strings.NewReader(`
BenchmarkRoundTrip/goroutines=1/by=apivideo-2    100  350.0 ns/op  720 B/op  3 allocs/op
BenchmarkRoundTrip/goroutines=1/by=apivideo-2    100  340.0 ns/op  720 B/op  3 allocs/op
BenchmarkRoundTrip/goroutines=1/by=apivideo-2    100  990.0 ns/op  720 B/op  3 allocs/op
BenchmarkRoundTrip/goroutines=1/by=oauth2-2      100  700.0 ns/op  1968 B/op  7 allocs/op
BenchmarkRoundTrip/goroutines=1/by=bare-2        100  8.25 ns/op  0 B/op  0 allocs/op
BenchmarkIdleSources/by=apivideo-2  1  5000000000 ns/op  3226 B/source  0 goroutines
BenchmarkIdleSources/by=oauth2-2    1  500000000 ns/op  2456 B/source  0 goroutines
`))
	fmt.Println(err)
	// Output:
	// | | ÷ x/oauth2 | ÷ cloud auth | ÷ limit | apivideo | x/oauth2 | cloud auth | limit | bare |
	// |---|---:|---:|---:|---:|---:|---:|---:|---:|
	// | request without a network, 1 goroutine | **0.50** |  |  | 350 ns ±∞ | 700 ns ±∞ |  |  | 8.25 ns ±∞ |
	// | its allocations | **0.43** |  |  | 3 | 7 |  |  | 0 |
	// | its bytes | **0.37** |  |  | 720 B | 1968 B |  |  | 0 B |
	// | idle source with its tokens | **1.31** |  |  | 3226 B | 2456 B |  |  |  |
	// | goroutines of all idle sources |  |  |  | 0 | 0 |  |  |  |
	// <nil>
}
