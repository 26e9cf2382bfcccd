// Package recipes_test has code to copy: health checks, metrics, several
// accounts and recorded tests. Each recipe is an example that runs.
package recipes_test
