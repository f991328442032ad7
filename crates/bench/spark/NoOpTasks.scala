package firesteel.bench

import org.apache.spark.{SparkConf, SparkContext}

/** A stage of tasks that do nothing. */
object NoOpTasks {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val tasks = parameters.partitions("tasks")
    val sc = new SparkContext(new SparkConf().setAppName("no-op tasks"))
    Rounds.serve(parameters) {
      val sample = Rounds.seconds {
        sc.range(0, tasks, 1, tasks).foreachPartition(_ => ())
        ""
      }
      sample.copy(value = tasks / sample.value)
    }
    sc.stop()
  }
}
