package components

import (
	"fmt"
	"strings"
)

// FargateSize is a task's size.
type FargateSize struct {
	// CPUUnits is 256 to 16,384; 1,024 is one virtual processor.
	CPUUnits int
	// MemoryMiB must be one of those that AWS offers for the processors.
	MemoryMiB int
}

// fargateSizes are the sizes that AWS offers (Amazon ECS Developer Guide, "Task CPU and memory"): for each number of CPU
// units the smallest and largest memory, and the step between them, in MiB. 256 CPU units have three sizes, not all a step apart.
var fargateSizes = []struct{ cpu, least, most, step int }{
	{256, 512, 2048, 0},
	{512, 1024, 4096, 1024},
	{1024, 2048, 8192, 1024},
	{2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024},
	{8192, 16384, 61440, 4096},
	{16384, 32768, 122880, 8192},
}

// Validate refuses a size that Fargate does not have, and says which there are.
func (s FargateSize) Validate() error {
	var units []string
	for _, size := range fargateSizes {
		units = append(units, fmt.Sprint(size.cpu))
		if size.cpu != s.CPUUnits {
			continue
		}
		if size.step == 0 {
			if s.MemoryMiB == 512 || s.MemoryMiB == 1024 || s.MemoryMiB == 2048 {
				return nil
			}
			return fmt.Errorf("no Fargate task has %d CPU units with %d MiB: with %d it is 512, 1024 or 2048 MiB",
				s.CPUUnits, s.MemoryMiB, s.CPUUnits)
		}
		if s.MemoryMiB >= size.least && s.MemoryMiB <= size.most && s.MemoryMiB%size.step == 0 {
			return nil
		}
		return fmt.Errorf("no Fargate task has %d CPU units with %d MiB: with %d it is %d to %d MiB in steps of %d",
			s.CPUUnits, s.MemoryMiB, s.CPUUnits, size.least, size.most, size.step)
	}
	return fmt.Errorf("no Fargate task has %d CPU units: it is one of %s", s.CPUUnits, strings.Join(units, ", "))
}
