package firesteel.bench

import org.apache.spark.{SparkConf, SparkContext}

/** Jobs of one stage with one task, one after the other. */
object OneTaskJob {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val jobs = parameters.number("jobs")
    val sc = new SparkContext(new SparkConf().setAppName("one-task jobs"))
    Rounds.serve(parameters) {
      val sample = Rounds.seconds {
        (0L until jobs).map(_ => sc.range(0, 10, 1, 1).count()).sum
      }
      sample.copy(value = sample.value * 1000 / jobs)
    }
    sc.stop()
  }
}
