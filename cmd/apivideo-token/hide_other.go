//go:build !linux

package main

// hide does nothing: only Linux has a way.
func hide() {}

// keepDescriptors does nothing, see hide.
func keepDescriptors() {}
