//! What was lost moves at once.

use crate::distributed::ConnectorsAndTasks;
use crate::distributed::assignor::IncrementalCooperativeAssignor;

impl IncrementalCooperativeAssignor {
    /// Gives all that was lost, to be dealt with what is new. A round that is scheduled, since the load
    /// was balanced too often in a row, stays scheduled.
    pub(in crate::distributed::assignor) fn reassign_lost(
        &mut self,
        lost: &ConnectorsAndTasks,
        now_ms: i64,
    ) -> ConnectorsAndTasks {
        if self.is_due(now_ms) {
            self.end_delay();
        } else if self.waits() && (self.revoked_in_previous() || !lost.is_empty()) {
            self.wait(now_ms);
        } else {
            self.reset_delay();
        }
        lost.clone()
    }
}
