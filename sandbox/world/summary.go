package world

// Summary is one delivery's outcome, as `sandbox run --summary` writes it. Its JSON is read by others: see the README.
type Summary struct {
	// Commit is the delivered commit, 40 hexadecimal digits.
	Commit string `json:"commit"`
	// Image is the digest that runs in every environment.
	Image string `json:"image"`
	// Runtime is docker, podman or process.
	Runtime string `json:"runtime"`
	// Seconds are from the start of the pipeline to its end, on the machine's clock.
	Seconds      float64              `json:"seconds"`
	Environments []EnvironmentSummary `json:"environments"`
}

// EnvironmentSummary is one environment after the delivery.
type EnvironmentSummary struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Live is the colour that has the traffic.
	Live    string  `json:"live"`
	Weights Weights `json:"weights"`
	// Version is the commit that the environment itself names at /version.
	Version string `json:"version"`
	// Requests are the users' requests during the delivery, Failed those without an answer of 2xx.
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// ShiftSeconds is how long the action that moves the traffic took, on the machine's clock.
	ShiftSeconds float64 `json:"shiftSeconds"`
}

// Weights are how the listener shares the traffic.
type Weights struct {
	Blue  int `json:"blue"`
	Green int `json:"green"`
}
