use super::SAMPLES;

/// The samples of an hour, each at its minute's place; the caller clears a place before it is used
/// for another minute.
#[derive(Debug)]
pub(super) struct Ring<T>([T; SAMPLES]);

impl<T: Copy + Default> Default for Ring<T> {
    fn default() -> Ring<T> {
        Ring([T::default(); SAMPLES])
    }
}

impl<T> Ring<T>
where
    T: Copy + Default + Ord + Into<u64> + TryFrom<u64>,
{
    /// Adds to a sample. One that cannot hold it all says the most that it can.
    pub(super) fn add(&mut self, place: usize, more: u64) {
        if more > 0
            && let Some(sample) = self.0.get_mut(place)
        {
            let sum: u64 = (*sample).into().saturating_add(more);
            *sample = T::try_from(sum).unwrap_or_else(|_| most());
        }
    }

    /// Makes a sample at least this.
    pub(super) fn raise(&mut self, place: usize, level: u64) {
        if let Some(sample) = self.0.get_mut(place) {
            *sample = T::try_from(level).unwrap_or_else(|_| most()).max(*sample);
        }
    }

    pub(super) fn clear(&mut self, place: usize) {
        if let Some(sample) = self.0.get_mut(place) {
            *sample = T::default();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|sample| *sample == T::default())
    }

    /// All samples, oldest first; the last is the one at `now`.
    pub(super) fn read(&self, now: usize) -> Vec<u64> {
        let (until, after) = self.0.split_at(now.saturating_add(1).min(SAMPLES));
        let samples = after.iter().chain(until);
        samples.map(|sample| (*sample).into()).collect()
    }
}

/// The most that a sample can say.
fn most<T: TryFrom<u64> + Default>() -> T {
    let widths = [u64::MAX, u32::MAX.into()];
    let mut fits = widths.into_iter().filter_map(|most| T::try_from(most).ok());
    fits.next().unwrap_or_default()
}
