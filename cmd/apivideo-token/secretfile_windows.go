package main

import "io/fs"

// exposed: on Windows the permissions of the folder apply.
func exposed(fs.FileInfo) string { return "" }
