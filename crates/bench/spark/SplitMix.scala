package firesteel.bench

/** The same as in src/data/random.rs. */
object SplitMix {
  def mix(number: Long): Long = {
    val first = (number ^ (number >>> 30)) * 0xbf58476d1ce4e5b9L
    val second = (first ^ (first >>> 27)) * 0x94d049bb133111ebL
    second ^ (second >>> 31)
  }
}
