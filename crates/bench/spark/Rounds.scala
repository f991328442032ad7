package firesteel.bench

import scala.io.StdIn

/** What a round measured, and what came out. */
case class Sample(value: Double, answer: String)

/** The values that all sides of a measure are told, as words name=value. */
class Parameters(words: Array[String]) {
  private val values = words.map { word =>
    val Array(name, value) = word.split("=", 2)
    name -> value
  }.toMap

  def text(name: String): String = values(name)
  def number(name: String): Long = values(name).toLong
  def partitions(name: String): Int = values(name).toInt
  def warmUp: Long = values.get("warm-up").fold(0L)(_.toLong)
}

/** The same protocol as in src/rounds.rs. */
object Rounds {
  def serve(parameters: Parameters)(round: => Sample): Unit = {
    for (_ <- 0L until parameters.warmUp) round
    say("@ready")
    Iterator.continually(StdIn.readLine()).takeWhile(_ != null).filter(_ == "go").foreach { _ =>
      val sample = round
      say(s"@sample ${sample.value} ${sample.answer}")
    }
  }

  /** Times the work in seconds. */
  def seconds(work: => Any): Sample = {
    val start = System.nanoTime()
    val answer = work
    Sample((System.nanoTime() - start) / 1e9, answer.toString)
  }

  private def say(line: String): Unit = {
    println(line)
    System.out.flush()
  }
}
