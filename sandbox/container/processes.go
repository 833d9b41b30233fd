package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/penguinshop/delivery/sandbox/scratch"
)

// processesFolder is where a run's folder has a file for each process that the run started: its name is the process's
// number, its text when the process began, since a number is given again to others.
const processesFolder = "processes"

func noteProcess(folder *scratch.Folder, pid int) error {
	began, err := began(pid)
	if err != nil {
		return nil // it has ended already
	}
	path := filepath.Join(folder.Path, processesFolder)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, strconv.Itoa(pid)), []byte(began), 0o600)
}

func forgetProcess(folder *scratch.Folder, pid int) error {
	err := os.Remove(filepath.Join(folder.Path, processesFolder, strconv.Itoa(pid)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// endProcesses ends the processes that dead runs have left.
func endProcesses(dead []*scratch.Folder) error {
	for _, folder := range dead {
		entries, err := os.ReadDir(filepath.Join(folder.Path, processesFolder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for the processes of an earlier run: %w", err)
		}
		for _, entry := range entries {
			pid, err := strconv.Atoi(entry.Name())
			if err != nil || pid < 2 {
				continue
			}
			noted, err := os.ReadFile(filepath.Join(folder.Path, processesFolder, entry.Name()))
			if now, alive := began(pid); err == nil && alive == nil && now == string(noted) {
				_ = syscall.Kill(-pid, syscall.SIGKILL)
			}
		}
	}
	return nil
}

// began tells when a process started, in the kernel's or in ps's words.
func began(pid int) (string, error) {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		// The second field is the program's name in brackets, and may hold anything; the 22nd is the start.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 19 {
			return fields[19], nil
		}
	}
	out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(out)), err
}

// residentBytes is how much memory a process holds; known is false where the kernel does not say so in a file.
func residentBytes(pid int) (bytes int64, known bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
