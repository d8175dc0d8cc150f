//! The consumer: group membership or manual assignment, fetching, offsets.

mod group;
