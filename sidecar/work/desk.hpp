// What a worker says to the database: claim, begin, finish, give back, sign of life. Each is one transaction.
// Invariant: the worker's name is of this process alone, so that no other one's leases are taken for its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "db/pool.hpp"
#include "obs/work_state.hpp"
#include "work/task.hpp"

namespace radscheduler::sidecar::work {

struct Begun {
    std::optional<int> attempts; // which try this is; nothing when the task is not ours any more
    std::optional<Payload> message;
};

class Desk {
public:
    explicit Desk(std::shared_ptr<db::Pool> pool);

    Task<std::variant<std::vector<Run>, db::DbError>> claim(std::string kind, std::size_t queues);
    Task<std::variant<Begun, db::DbError>> begin(TaskId task);
    // True when it counts, false when the lease was lost.
    Task<std::variant<bool, db::DbError>> finish(TaskId task, int attempts, std::string event, std::string note);
    // Nothing when it worked.
    Task<std::optional<db::DbError>> release(std::vector<std::string> numbers);
    Task<std::optional<db::DbError>> sign_of_life(std::vector<std::string> numbers);
    Task<std::optional<std::vector<TaskCount>>> count();

private:
    std::shared_ptr<db::Pool> pool_;
    std::string worker_;
};

} // namespace radscheduler::sidecar::work
