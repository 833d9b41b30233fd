package codebuild

import "time"

// SetTimeout shortens a project's build timeout below what CodeBuild allows to declare.
func (s *Service) SetTimeout(project string, limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects[project].timeout = limit
}
