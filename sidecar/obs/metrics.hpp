// What the daemon counts, as Prometheus reads it (GET /metrics). No I/O in here.
// Invariant: labels are words of this program (outcomes, states), never names of senders, sites or patients.
#pragma once

#include <string>

#include "http/health_report.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar {

std::string metrics_text(const Counters& counters, const http::Probes& probes, const std::string& version);

} // namespace radscheduler::sidecar
