//go:build !linux

package container

import "syscall"

// bindBeforeUp is Linux's alone: elsewhere the engines run in a virtual machine and containers reach loopback.
func bindBeforeUp(_, _ string, _ syscall.RawConn) error { return nil }
