//go:build race

package pgstore_test

const raced = true // it makes everything several times slower
